"use strict";

/* A decoder as a chain of layers, run with typed arrays. Activations are float64; images differ from
   TensorFlow's by the rounding of the stored weights. */

function bytesOf(text) {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

function floatsOf(text, type) {
  const buffer = bytesOf(text).buffer;
  if (type === "float32") return new Float32Array(buffer);
  return Float32Array.from(new Uint16Array(buffer), halfToNumber);
}

function halfToNumber(bits) {
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  const size = exponent ? (1024 + fraction) * 2 ** (exponent - 25) : fraction * 2 ** -24;
  return bits & 32768 ? -size : size;
}

/* Dense layer. Eight outputs are summed at once, so weights are kept as [output / 8][input][8]. */
class Dense {
  constructor(layer, weights, bias) {
    const [numInputs, numOutputs] = layer.shape;
    const numGroups = Math.ceil(numOutputs / 8);
    this.numInputs = numInputs;
    this.numOutputs = numOutputs;
    this.weights = new Float32Array(numGroups * numInputs * 8);
    this.bias = new Float64Array(numGroups * 8);
    this.bias.set(bias);
    this.sums = new Float64Array(numGroups * 8);
    for (let output = 0; output < numOutputs; output++) {
      const start = (output >> 3) * numInputs * 8 + (output & 7);
      for (let input = 0; input < numInputs; input++) {
        this.weights[start + 8 * input] = weights[input * numOutputs + output];
      }
    }
  }

  run(inputs) {
    const { weights, bias, sums, numInputs } = this;
    for (let first = 0, at = 0; first < sums.length; first += 8) {
      let s0 = bias[first], s1 = bias[first + 1], s2 = bias[first + 2], s3 = bias[first + 3];
      let s4 = bias[first + 4], s5 = bias[first + 5], s6 = bias[first + 6], s7 = bias[first + 7];
      for (let input = 0; input < numInputs; input++, at += 8) {
        const x = inputs[input];
        s0 += x * weights[at];
        s1 += x * weights[at + 1];
        s2 += x * weights[at + 2];
        s3 += x * weights[at + 3];
        s4 += x * weights[at + 4];
        s5 += x * weights[at + 5];
        s6 += x * weights[at + 6];
        s7 += x * weights[at + 7];
      }
      sums[first] = s0;
      sums[first + 1] = s1;
      sums[first + 2] = s2;
      sums[first + 3] = s3;
      sums[first + 4] = s4;
      sums[first + 5] = s5;
      sums[first + 6] = s6;
      sums[first + 7] = s7;
    }
    return this.sums.subarray(0, this.numOutputs);
  }
}

/* Transposed convolution with padding "same": input row i adds kernel row a to output row
   stride * i + a - before. So output rows r with one remainder r % stride take the same kernel rows,
   from input rows at fixed distances: an ordinary convolution for each pair of remainders (phase).
   Its innermost loop sums four channels of two neighbours. */
class Deconvolution {
  constructor(layer, weights, bias) {
    const [size, , outChannels, inChannels] = layer.shape;
    const stride = layer.stride;
    [this.height, this.width] = layer.input_shape;
    Object.assign(this, { stride, inChannels, outChannels });
    this.margin = Math.ceil(size / stride); // Zeros around the input.
    this.rowLength = (this.width + 2 * this.margin + 1) * inChannels;
    this.padded = new Float64Array((this.height + 2 * this.margin) * this.rowLength);
    this.numGroups = Math.ceil(outChannels / 4);
    this.bias = new Float64Array(this.numGroups * 4);
    this.bias.set(bias);
    this.sums = new Float64Array(this.height * this.width * stride * stride * outChannels);
    this.phases = [];
    for (let row = 0; row < stride; row++) {
      for (let column = 0; column < stride; column++) {
        this.phases.push({ row, column, ...this.phaseOf(row, column, size, weights) });
      }
    }
  }

  /* Returns where the inputs of a phase are, relative to the input of its pixel, and its weights,
     [output channel / 4][input][input channel][4]. */
  phaseOf(row, column, size, weights) {
    const { stride, inChannels, outChannels, rowLength, numGroups } = this;
    const before = (size - stride) >> 1;
    const taps = [];
    for (let a = (row + before) % stride; a < size; a += stride) {
      for (let b = (column + before) % stride; b < size; b += stride) {
        taps.push([a, b]);
      }
    }
    const offsets = taps.map(([a, b]) =>
      ((row + before - a) / stride) * rowLength + ((column + before - b) / stride) * inChannels);
    const packed = new Float64Array(numGroups * taps.length * inChannels * 4);
    taps.forEach(([a, b], tap) => {
      for (let output = 0; output < outChannels; output++) {
        const from = ((a * size + b) * outChannels + output) * inChannels;
        const to = ((output >> 2) * taps.length + tap) * inChannels * 4 + (output & 3);
        for (let input = 0; input < inChannels; input++) {
          packed[to + 4 * input] = weights[from + input];
        }
      }
    });
    return { offsets, weights: packed };
  }

  run(inputs) {
    const { padded, height, width, inChannels, rowLength, margin } = this;
    const row = width * inChannels;
    for (let i = 0; i < height; i++) {
      const start = (i + margin) * rowLength + margin * inChannels;
      padded.set(inputs.subarray(i * row, (i + 1) * row), start);
    }
    for (const phase of this.phases) {
      for (let group = 0; group < this.numGroups; group++) this.runPhase(phase, group);
    }
    return this.sums;
  }

  runPhase({ row, column, offsets, weights }, group) {
    const { padded, bias, sums, height, width, inChannels, outChannels, rowLength, margin } = this;
    const stride = this.stride;
    const numChannels = Math.min(4, outChannels - 4 * group);
    const numTaps = offsets.length;
    const firstWeight = group * numTaps * inChannels * 4;
    const b0 = bias[4 * group], b1 = bias[4 * group + 1];
    const b2 = bias[4 * group + 2], b3 = bias[4 * group + 3];
    for (let i = 0; i < height; i++) {
      for (let j = 0; j < width; j += 2) {
        let s0 = b0, s1 = b1, s2 = b2, s3 = b3;
        let t0 = b0, t1 = b1, t2 = b2, t3 = b3; // Those of the neighbour at j + 1.
        let at = firstWeight;
        const pixel = (i + margin) * rowLength + (j + margin) * inChannels;
        for (let tap = 0; tap < numTaps; tap++) {
          const start = pixel + offsets[tap];
          const end = start + inChannels;
          for (let from = start; from < end; from++, at += 4) {
            const x = padded[from], y = padded[from + inChannels];
            const w0 = weights[at], w1 = weights[at + 1], w2 = weights[at + 2], w3 = weights[at + 3];
            s0 += x * w0;
            s1 += x * w1;
            s2 += x * w2;
            s3 += x * w3;
            t0 += y * w0;
            t1 += y * w1;
            t2 += y * w2;
            t3 += y * w3;
          }
        }
        const line = (stride * i + row) * stride * width;
        const to = (line + stride * j + column) * outChannels + 4 * group;
        this.store(to, numChannels, s0, s1, s2, s3);
        if (j + 1 < width) this.store(to + stride * outChannels, numChannels, t0, t1, t2, t3);
      }
    }
  }

  store(to, numChannels, s0, s1, s2, s3) {
    const sums = this.sums;
    sums[to] = s0;
    if (numChannels > 1) sums[to + 1] = s1;
    if (numChannels > 2) sums[to + 2] = s2;
    if (numChannels > 3) sums[to + 3] = s3;
  }
}

function activate(values, { activation, leak }) {
  const size = values.length;
  if (activation === "relu" || activation === "leaky_relu") {
    for (let i = 0; i < size; i++) if (values[i] < 0) values[i] *= leak;
  } else if (activation === "sigmoid") {
    for (let i = 0; i < size; i++) values[i] = 1 / (1 + Math.exp(-values[i]));
  } else if (activation === "tanh") {
    for (let i = 0; i < size; i++) values[i] = Math.tanh(values[i]);
  }
}

class Decoder {
  constructor({ inputs, layers, weights_type: type }) {
    const kinds = { dense: Dense, deconvolution: Deconvolution };
    this.parts = inputs; // Pairs of a name and a size, side by side in the code.
    this.shape = layers[layers.length - 1].output_shape;
    this.layers = layers.map((layer) => {
      const weights = floatsOf(layer.weights, type);
      const bias = floatsOf(layer.bias, "float32");
      return { layer, made: new kinds[layer.kind](layer, weights, bias) };
    });
  }

  /* Returns the image of a code, values in [0, 1] row by row, valid until the next call. */
  decode(code) {
    let values = Float64Array.from(code);
    for (const { layer, made } of this.layers) {
      values = made.run(values);
      activate(values, layer);
    }
    return values;
  }
}
