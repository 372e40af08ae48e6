"""The operations and objects that SavedModels of this package consist of.

A SavedModel is a program: TensorFlow has operations that read, write and delete files, and those of
a model run when it is loaded or called. Models consist of arithmetic. The lists below hold what
those of this package have, which a test compares with all of them, and more arithmetic for networks
and posteriors that users add.
"""

# In the functions of a model, however deep, and in their gradients.
_MODEL_OPERATIONS = frozenset(
  [
    "Abs",
    "AddN",
    "AddV2",
    "All",
    "Assert",
    "AssignAddVariableOp",
    "BatchMatMulV2",
    "BiasAdd",
    "BiasAddGrad",
    "BroadcastArgs",
    "BroadcastGradientArgs",
    "BroadcastTo",
    "Cast",
    "ConcatV2",
    "Const",
    "Conv2D",
    "Conv2DBackpropFilter",
    "Conv2DBackpropInput",
    "DepthToSpace",
    "Exp",
    "ExpandDims",
    "Fill",
    "FloorDiv",
    "GatherV2",
    "Identity",
    "IdentityN",
    "LeakyRelu",
    "LessEqual",
    "Log",
    "Log1p",
    "MatMul",
    "MatrixBandPart",
    "MatrixDiagV3",
    "Max",
    "MaxPool",
    "Maximum",
    "Min",
    "Minimum",
    "Mul",
    "Neg",
    "NoOp",
    "NotEqual",
    "Pack",
    "PartitionedCall",
    "Prod",
    "ReadVariableOp",
    "RealDiv",
    "Relu",
    "ReluGrad",
    "Reshape",
    "Rsqrt",
    "SelectV2",
    "Shape",
    "ShapeN",
    "Sigmoid",
    "SigmoidGrad",
    "Softmax",
    "SpaceToDepth",
    "Square",
    "Squeeze",
    "StatefulPartitionedCall",
    "StatelessRandomGetKeyCounter",
    "StatelessRandomNormalV2",
    "StridedSlice",
    "StridedSliceGrad",
    "Sub",
    "Sum",
    "Tanh",
    "TanhGrad",
    "Tile",
    "Transpose",
    "ZerosLike",
  ]
)

# What other networks and posteriors may have in their functions: arithmetic on the inputs alone.
_MORE_ARITHMETIC = frozenset(
  [
    "AvgPool",
    "Cholesky",
    "Cos",
    "Cumsum",
    "DepthwiseConv2dNative",
    "DynamicStitch",
    "Einsum",
    "Elu",
    "Equal",
    "Erf",
    "Erfc",
    "Floor",
    "FloorMod",
    "FusedBatchNormV3",
    "Greater",
    "GreaterEqual",
    "Less",
    "LogSoftmax",
    "LogicalAnd",
    "LogicalNot",
    "LogicalOr",
    "MatrixDiagPartV3",
    "MatrixInverse",
    "MatrixSetDiagV3",
    "MatrixTriangularSolve",
    "Mean",
    "MirrorPad",
    "OneHot",
    "Pad",
    "PadV2",
    "Pow",
    "Qr",
    "Range",
    "Reciprocal",
    "ReciprocalGrad",
    "Relu6",
    "ResizeBilinear",
    "ResizeNearestNeighbor",
    "ReverseV2",
    "Roll",
    "Round",
    "Selu",
    "Sign",
    "Sin",
    "Slice",
    "Softplus",
    "Softsign",
    "Split",
    "SplitV",
    "Sqrt",
    "SquaredDifference",
    "StopGradient",
    "Unpack",
    "Xlogy",
  ]
)

OPERATIONS = _MODEL_OPERATIONS | _MORE_ARITHMETIC

# In the two functions that TensorFlow adds to every SavedModel to store and restore its variables.
# They read and write any file they are told to, but `tf.saved_model.load` never calls them: it
# reads the variables itself. So nothing else in the model may call them either.
STORING_OPERATIONS = frozenset(
  [
    "AssignVariableOp",
    "Const",
    "DisableCopyOnRead",
    "Identity",
    "MergeV2Checkpoints",
    "NoOp",
    "Pack",
    "ReadVariableOp",
    "RestoreV2",
    "SaveV2",
    "Select",
    "ShardedFilename",
    "StaticRegexFullMatch",
    "StringJoin",
  ]
)

# In the graph around the functions, which `tf.saved_model.load` does not run.
GRAPH_OPERATIONS = frozenset(
  [
    "Const",
    "NoOp",
    "Placeholder",
    "ReadVariableOp",
    "StatefulPartitionedCall",
    "VarHandleOp",
  ]
)

# Objects: assets, resources with initializers and captured constants are not among them.
KINDS = frozenset(
  ["bare_concrete_function", "captured_tensor", "function", "user_object", "variable"]
)
USER_OBJECTS = frozenset(
  ["_generic_user_object", "signature_map", "trackable_dict_wrapper", "trackable_list_wrapper"]
)
# Arguments and results of functions: no type that Python code registers.
STRUCTURES = frozenset(
  [
    "dict_value",
    "list_value",
    "named_tuple_value",
    "none_value",
    "string_value",
    "tensor_spec_value",
    "tuple_value",
  ]
)
