"""What is used of the insides of PyTorch, and what happens where it has changed."""

from __future__ import annotations

import functools
import subprocess
import sys
import textwrap
from importlib import import_module

import pytest
import torch

from models import patches
from models.patches import Private, uncompiled, without_compiler


@pytest.fixture(autouse=True)
def _nothing_said(monkeypatch):
    monkeypatch.setattr(patches, "_said", set())


def step(kind: type[torch.optim.Optimizer]) -> float:
    """A weight of 1 after a step of ten percent along a gradient of 1."""
    weight = torch.nn.Parameter(torch.ones(1))
    optimizer = kind([weight], lr=0.1)
    weight.sum().backward()
    optimizer.step()
    return weight.item()


def test_a_name_that_is_as_it_was_is_used_in_silence(caplog):
    names = {
        "json:loads": "s cls object_hook parse_float parse_int parse_constant object_pairs_hook kw"
    }
    assert Private("torch", "2.14", "it is slow", {**names, "sys:path": list}).usable()
    assert not caplog.messages


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("json:gone", "s"),
        ("no_such_module:gone", "s"),
        ("json:JSONDecoder.gone", "self"),
        ("json:loads", "s"),
        ("sys:path", dict),
        ("sys:path", "self"),
    ],
)
def test_a_name_that_has_changed_is_said_once(name, wanted, caplog):
    private = Private("torch", "2.10", "it is slow", {name: wanted})
    assert not private.usable() and not private.usable()
    (line,) = caplog.messages
    assert name in line and "torch 2.10" in line and "it is slow" in line
    assert torch.__version__.split("+")[0] in line


def test_the_line_reaches_who_runs_a_command():
    program = """
        from models.patches import Private
        for _ in range(2):
            Private("torch", "2.10", "it is slow", {"json:gone": "s"}).usable()
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    lines = subprocess.run(command, capture_output=True, text=True).stderr.splitlines()
    assert len(lines) == 1 and "json:gone" in lines[0]


KINDS = [torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW]


@pytest.mark.parametrize("kind", KINDS)
def test_optimizers_step_as_they_do_without_the_patch(kind, caplog):
    assert uncompiled(kind) is not kind
    assert step(uncompiled(kind)) == pytest.approx(step(kind))
    assert not caplog.messages


@pytest.mark.parametrize("name", ["state_dict", "load_state_dict", "zero_grad", "add_param_group"])
def test_optimizers_whose_method_takes_more_are_left_as_they_are(name, monkeypatch, caplog):
    plain = getattr(torch.optim.Optimizer, name)
    monkeypatch.setattr(
        torch.optim.Optimizer, name, lambda self, *args, fresh=1, **kw: plain(self, *args, **kw)
    )
    kind = uncompiled(torch.optim.Adam)
    assert kind is torch.optim.Adam and step(kind) == pytest.approx(0.9)
    assert f"Optimizer.{name}" in caplog.text and len(caplog.messages) == 1


def test_optimizers_in_a_wrapper_that_is_new_are_left_as_they_are(monkeypatch, caplog):
    """It may do what is needed."""
    plain = torch.optim.SGD.step

    @functools.wraps(plain)
    def new(self, *args, **kwargs):
        return plain(self, *args, **kwargs)

    monkeypatch.setattr(torch.optim.SGD, "step", new)
    kind = uncompiled(torch.optim.SGD)
    assert kind is torch.optim.SGD and step(kind) == pytest.approx(0.9)
    assert "SGD.step" in caplog.text


def test_optimizers_whose_step_takes_more_are_left_as_they_are(monkeypatch, caplog):
    plain = torch.optim.SGD.step
    monkeypatch.setattr(torch.optim.SGD, "step", lambda self, closure=None, fresh=1: plain(self))
    kind = uncompiled(torch.optim.SGD)
    assert kind is torch.optim.SGD and step(kind) == pytest.approx(0.9)
    assert "SGD.step" in caplog.text


@pytest.mark.parametrize("name", ["torch._compile._disable_dynamo", "torch.compiler.disable"])
def test_without_its_names_the_compiler_is_not_kept_away(name, monkeypatch, caplog):
    monkeypatch.setattr(patches, "_COMPILER", "torch._some_compiler")
    monkeypatch.setattr(name, lambda anything: anything)
    assert without_compiler(lambda: "torch._some_compiler" in sys.modules) is False
    assert name.rpartition(".")[2] in caplog.text


def test_what_fails_without_the_compiler_is_done_with_it(monkeypatch, caplog):
    monkeypatch.setattr(patches, "_COMPILER", "torch._some_compiler")

    def action() -> str:
        if "torch._some_compiler" in sys.modules:
            import_module("torch._some_compiler.config")  # as a later library might
        return "done"

    assert without_compiler(action) == "done"
    assert "torch._some_compiler.config" in caplog.text and len(caplog.messages) == 1


def test_what_fails_in_any_case_says_nothing_of_the_compiler(monkeypatch, caplog):
    monkeypatch.setattr(patches, "_COMPILER", "torch._some_compiler")
    with pytest.raises(TypeError, match="of its own"):
        without_compiler(lambda: (_ for _ in ()).throw(TypeError("of its own")))
    assert not caplog.messages


def test_networks_are_there_where_the_compiler_can_not_be_kept_away():
    """Libraries that import a part of the compiler that is not stood in for."""
    program = """
        from models import patches
        del patches._Absent.__getattr__
        from models.backbones.load import load_backbone
        import torch
        backbone = load_backbone("mobilenetv2_1.00_224", pooling="max", pretrained=False)
        print(backbone(torch.zeros(1, 3, 64, 64, dtype=torch.uint8)).shape[1])
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout.split() == ["1280"], done.stderr
    (line,) = done.stderr.splitlines()
    assert "torch._dynamo" in line
