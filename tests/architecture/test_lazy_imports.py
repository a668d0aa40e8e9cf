"""Heavy libraries are loaded on first use; the public names exist."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = ("tensorflow", "keras", "tensorflow_datasets", "matplotlib", "PIL")


def loaded_by(code: str) -> set[str]:
    """Heavy libraries in sys.modules after `code` ran in a fresh interpreter."""
    script = f"import sys\n{code}\nprint(*[m for m in {HEAVY!r} if m in sys.modules])"
    printed = subprocess.check_output([sys.executable, "-c", script], text=True, cwd=ROOT)
    return set(printed.splitlines()[-1].split())


@pytest.mark.parametrize(
    "code",
    [
        "import skin_synth, tfrecords_tools; skin_synth.__version__, dir(skin_synth)",
        "import skin_synth.cli; skin_synth.cli.make_parser()",
        "import skin_synth.cli as cli; cli.main_with(['is-synthetic', '--help'])",
        "import tfrecords_tools.cli",
        "import skin_synth.cli as cli; cli.main_with(['--help'])",
        "import skin_synth.cli as cli; cli.main_with(['demo', '--help'])",
        "import skin_synth.cli as cli; cli.main_with(['--version'])",
        "import skin_synth.pretrained; skin_synth.pretrained.known_names()",
        "import tfrecords_tools.cli as cli; cli.main_with(['build', '--help'])",
    ],
)
def test_import_and_help_load_nothing_heavy(code):
    assert loaded_by(code) == set()


def test_the_list_of_generators_loads_no_tensorflow():
    code = "import skin_synth.cli as cli; assert cli.main_with(['pretrained']) == 0"
    assert loaded_by(code) <= {"PIL"}


def test_a_client_over_rest_loads_no_tensorflow():
    code = "from skin_synth.serving import Client; Client('http://localhost:8501', model='skin')"
    assert loaded_by(code) == {"PIL"}


WITHOUT = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] not in {*sys.stdlib_module_names, *KEPT}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
"""
"""Hides all libraries but `KEPT`, as in an environment without them."""


def without_libraries(code: str, *kept: str, cwd: Path = ROOT) -> str:
    """Runs code in a fresh interpreter that has only these libraries; returns what it prints."""
    script = f"KEPT = {kept!r}\n{WITHOUT}\n{code}"
    return subprocess.check_output([sys.executable, "-c", script], text=True, cwd=cwd)


def test_the_client_needs_numpy_and_pillow_only():
    code = """
from skin_synth.serving import Access, Client, ServingError
from tfrecords_tools.errors import InputError

Client("http://localhost:8501", model="skin").close()
try:
    Client("localhost:8500", model="skin")
except InputError as error:
    print(error)
"""
    printed = without_libraries(code, "numpy", "PIL", "skin_synth", "tfrecords_tools")
    assert printed.startswith("gRPC needs grpcio and protobuf (No module named 'grpc'")


def test_a_client_over_grpc_loads_no_tensorflow():
    code = "from skin_synth.serving import Client; Client('localhost:8500', model='skin').close()"
    assert loaded_by(code) == {"PIL"}


def test_the_public_names_are_there():
    import skin_synth
    from skin_synth.models.gan import ConditionalGAN
    from skin_synth.training.runs import load_run

    assert skin_synth.ConditionalGAN is ConditionalGAN
    assert skin_synth.load_run is load_run
    assert set(skin_synth.__all__) <= set(dir(skin_synth))
    assert re.fullmatch(r"\d+\.\d+\.\d+", skin_synth.__version__)
    with pytest.raises(AttributeError, match=r"no attribute 'gans'.*ConditionalGAN"):
        _ = skin_synth.gans
