from dl_condind.reports import terminal_summary


def test_table_has_the_medians_of_each_cell_and_writes_nothing(generated, tmp_path):
  for number, (correlation, mig) in enumerate([(0.0, 0.3), (0.0, 0.5), (0.9, 0.1)]):
    config = generated.config_of(correlation=correlation, seed=number)
    generated.write_run(tmp_path / str(number), config, mig=mig, kl=None)
  files = sorted(tmp_path.rglob("*"))
  lines = [line.split("  ") for line in terminal_summary.describe(tmp_path).splitlines()]
  rows = [[cell.strip() for cell in line if cell.strip()] for line in lines]
  name = "VAE on dsprites_full, 10 latents"
  assert rows == [
    ["setting", "c", "runs", "MIG, mean", "TC"],
    [name, "0", "2", "0.400", "8.00"],
    [name, "0.9", "1", "0.100", "8.00"],
  ]
  assert len({len(line) for line in terminal_summary.describe(tmp_path).splitlines()}) == 1
  assert sorted(tmp_path.rglob("*")) == files


def test_one_run_and_none(generated, tmp_path):
  generated.write_run(tmp_path / "0", generated.config_of())
  assert terminal_summary.describe(tmp_path / "0").splitlines()[1].split()[-1] == "8.00"
  assert terminal_summary.describe(tmp_path / "nothing") == ""


def test_command_of_the_report():
  command = terminal_summary.report_command
  assert command("bin/dl_condind_reproduce", "out") == "bin/dl_condind_report --study_dir=out"
  assert command("/venv/bin/dl_condind_reproduce", "my out", "paper", True) == (
    "dl_condind_report '--study_dir=my out' --study=paper --trust_gin_imports"
  )
