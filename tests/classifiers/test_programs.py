"""Programs of torch in files: what they give, and what is refused before torch reads it."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from frameworks import IMAGES, SHAPE, expected, means_module

from fooling.classifiers import load_classifier
from fooling.errors import UserError

torch: Any = pytest.importorskip("torch", reason="torch is not installed: pip install torch==2.13.0")
from fooling.classifiers.adapters.programs import is_arithmetic  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def exported(home: Path) -> Path:
    """A file of torch.export whose batch has any size."""
    batch = torch.export.Dim("batch", min=1, max=5000)
    program = torch.export.export(means_module(), (torch.rand(2, 3, 4, 5),), dynamic_shapes=({0: batch},))
    torch.export.save(program, home / "m.pt2")
    return home / "m.pt2"


def test_torch_export_gives_scores(exported: Path) -> None:
    found: Any = load_classifier("torch", "m.pt2")
    assert (found.input_shape, found.num_classes, found.output, found.fixed) == (SHAPE, 3, "logit", False)
    assert found(IMAGES) == pytest.approx(expected(IMAGES), abs=1e-5)
    assert not found.partial_fingerprint


def test_a_fixed_batch_is_filled_up(home: Path) -> None:
    torch.export.save(torch.export.export(means_module(), (torch.rand(4, 3, 4, 5),)), home / "m.pt2")
    found: Any = load_classifier("torch", "m.pt2")
    assert (found.batch_size, found.fixed) == (4, True)
    assert found(IMAGES) == pytest.approx(expected(IMAGES), abs=1e-5)


def test_torchscript_gives_scores(home: Path) -> None:
    torch.jit.trace(means_module(), torch.rand(1, 3, 4, 5)).save("m.pt")
    found = load_classifier("torch", "m.pt", shape=SHAPE)
    assert found(IMAGES) == pytest.approx(expected(IMAGES), abs=1e-5)
    with pytest.raises(UserError, match="holds its weights itself"):
        load_classifier("torch", "m.pt", weights="w.safetensors", shape=SHAPE)
    with pytest.raises(UserError, match="it looks like a program of torch: give classifier=torch"):
        load_classifier("onnx", "m.pt")


def test_torchscript_that_opens_files_is_refused(home: Path) -> None:
    class Writes(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            torch.save(images, "written.pt")
            return images.mean((2, 3))

    torch.jit.script(Writes()).save("m.pt")
    with pytest.raises(UserError, match=r"an operator that opens files \(save\), and is not run"):
        load_classifier("torch", "m.pt", shape=SHAPE)
    assert not Path("written.pt").exists()


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_torchscript_hidden_from_the_check_is_refused(home: Path) -> None:
    """torch finds members whatever their case, and takes the first of two of one name, where Python takes the last."""
    torch.jit.trace(means_module(), torch.rand(1, 3, 4, 5)).save("m.pt")
    with zipfile.ZipFile("m.pt") as archive:
        members = [(one.filename, archive.read(one)) for one in archive.infolist()]
    code = next(name for name, _ in members if name.endswith("code/__torch__.py") or "/code/__torch__/" in name)
    evil = b"ops.aten.save(1)"
    for name, first, said in (
        (code[:-2] + "PY", [], "an operator that opens files"),
        (code.replace("/code/", "/CODE/"), [(code.rpartition("/")[0] + "/a.py", b"")], "an operator that opens files"),
        (code, [(code, evil)], "two of one name"),
        (code, [(code[:-2] + "PY", evil)], "two of one name"),
    ):
        with zipfile.ZipFile("m.pt", "w") as archive:
            for one, content in members:
                for more, text in first if one == code else []:
                    archive.writestr(more, text)
                archive.writestr(name if one == code else one, evil if one == code and "opens" in said else content)
        with pytest.raises(UserError, match=said):
            load_classifier("torch", "m.pt", shape=SHAPE)


class Evil:
    """What a pickle would run."""

    def __reduce__(self) -> Any:
        return (Path("ran").touch, ())


def rewritten(path: Path, change: Callable[[str, bytes], bytes | None], more: dict[str, bytes] | None = None) -> None:
    """The same archive with other content of some members."""
    with zipfile.ZipFile(path) as archive:
        members = {one.filename: archive.read(one) for one in archive.infolist()}
    folder = next(iter(members)).partition("/")[0]
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (members | {f"{folder}/{name}": content for name, content in (more or {}).items()}).items():
            changed = change(name, content)
            if changed is not None:
                archive.writestr(name, changed)


def in_graph(change: Callable[[Any], None]) -> Callable[[str, bytes], bytes]:
    def replace(name: str, content: bytes) -> bytes:
        if not name.endswith("models/model.json"):
            return content
        graph = json.loads(content)
        change(graph)
        return json.dumps(graph).encode()

    return replace


def call(target: str) -> Callable[[str, bytes], bytes]:
    return in_graph(lambda graph: graph["graph_module"]["graph"]["nodes"][0].update(target=target))


def size(text: str) -> Callable[[str, bytes], bytes]:
    return lambda name, content: content.replace(b"Symbol(", text.encode() + b" or Symbol(")


def same(name: str, content: bytes) -> bytes:
    return content


@pytest.mark.parametrize(
    ("change", "more", "said"),
    [
        (call("torch.hub.load"), {}, "calls torch.hub.load, expected operators of torch"),
        (call("torch.ops.aten.from_file.default"), {}, "calls torch.ops.aten.from_file"),
        (call("torch.ops.aten.save.default"), {}, "calls torch.ops.aten.save"),
        (call("torch.ops.aten.load_tensor"), {}, "calls torch.ops.aten.load_tensor"),
        (call("_operator.attrgetter"), {}, "calls _operator.attrgetter"),
        (call("torch.ops.aten.__class__"), {}, "calls torch.ops.aten.__class__"),
        (size("__import__('os').mkdir('ran')"), {}, "expected sizes as arithmetic of symbols"),
        (in_graph(lambda graph: graph.update(more={"as_custom_obj": {}})), {}, "holds objects of custom classes"),
        (in_graph(lambda graph: graph.update(more={"__enum__": "Kind.A"})), {}, "names classes of Python"),
        (in_graph(lambda graph: graph.update(more={"as_operator": "os.system"})), {}, "calls os.system"),
        (same, {"data/aotinductor/model/a.so": b"x"}, r"holds data/aotinductor/model/a\.so"),
        (same, {"data/weights/model.pt": b"x"}, "parts that torch would unpickle"),
        (lambda name, content: content.replace(b'"use_pickle": false', b'"use_pickle": true'), {}, None),
        (lambda name, content: content[:50] if name.endswith("model.json") else content, {}, "cannot read it"),
    ],
)
def test_files_of_torch_export_that_hold_more_are_refused(
    exported: Path, change: Callable[[str, bytes], bytes], more: dict[str, bytes], said: str | None
) -> None:
    if said is None:  # with a weight
        torch.export.save(torch.export.export(torch.nn.Linear(5, 3), (torch.rand(2, 5),)), exported)
        said = "parts that torch would unpickle"
    rewritten(exported, change, more)
    with pytest.raises(UserError, match=said):
        load_classifier("torch", "m.pt2")
    assert not Path("ran").exists()


def test_examples_and_guards_of_torch_export_are_never_read(exported: Path) -> None:
    pickled = io.BytesIO()
    torch.save(((Evil(),), {}), pickled)
    rewritten(exported, lambda name, content: pickled.getvalue() if "sample_inputs" in name else content)
    rewritten(exported, in_graph(lambda graph: graph.update(guards_code=["open('ran', 'w')"])))
    assert load_classifier("torch", "m.pt2")(IMAGES) == pytest.approx(expected(IMAGES), abs=1e-5)
    assert not Path("ran").exists()


def test_other_files_are_refused(home: Path) -> None:
    torch.save(torch.nn.Linear(3, 2).state_dict(), "w.pt")
    Path("text.pt2").write_text("nothing")
    Path("net.py").write_text("def make(): ...")
    with zipfile.ZipFile("old.pt2", "w") as archive:
        archive.writestr("serialized_exported_program.json", "{}")
    for name, said in {
        "w.pt": "expected module:function, a TorchScript file .*; if you trust the file, convert it once",
        "text.pt2": "got another kind of file, or a damaged one",
        "old.pt2": "a file of an older torch.export; save it with torch.export.save",
        "none.pt2": "no such file",
        "net.py": r"expected the function too, such as net\.py:make",
    }.items():
        with pytest.raises(UserError, match=said):
            load_classifier("torch", name)


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("Symbol('s31', positive=True, integer=True)", True),
        ("3*s0 + Mod(s1, 2)", True),
        ("Max(1, s0//2)", True),
        ("__import__('os')", False),
        ("s0.__class__", False),
        ("Symbol('a.b')", False),
        ("(lambda: 1)()", False),
        ("[s0 for s0 in s1]", False),
        ("s0(", False),
    ],
)
def test_sizes_are_arithmetic(text: str, holds: bool) -> None:
    assert is_arithmetic(text) == holds
