"""Models of Keras, TensorFlow Lite, OpenVINO, transformers and timm: what they give, what they declare, what is refused.

Keras is part of the extra [dev]. The others are large and are tested where they are installed: pip install '.[tflite,timm]' …
"""

import json
import sys
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from frameworks import IMAGES, SHAPE, expected, keras_model, write_openvino, write_tflite, write_transformers
from pairwise import rare
from safetensors.numpy import load_file, save_file

from fooling.classifiers import adapters, load_classifier
from fooling.classifiers.adapters.files import json_of, kind_of_content, weight_files
from fooling.classifiers.checks import check_classifier
from fooling.commands import dispatch
from fooling.errors import UserError, guarded

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")


@pytest.fixture
def keras(home: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Keras with JAX; the working directory is an empty folder."""
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    return pytest.importorskip("keras", reason="keras is not installed: pip install '.[keras]'")


@pytest.fixture
def litert(home: Path) -> Any:
    return pytest.importorskip("ai_edge_litert", reason="ai-edge-litert is not installed: pip install '.[tflite]'")


@pytest.fixture
def transformers(home: Path) -> Any:
    return pytest.importorskip("transformers", reason="transformers is not installed: pip install '.[huggingface]'")


@pytest.mark.parametrize("kind", sorted(kind for kind, row in adapters.ADAPTERS.items() if row.package))
def test_an_extra_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(adapters, "find_spec", lambda name: None)
    row = adapters.ADAPTERS[kind]
    path = "http://localhost" if kind == "http" else "a/b"
    with pytest.raises(UserError, match=rf"classifier={kind} needs {row.package}: .*pip install '\.\[{kind}\]'"):
        load_classifier(kind, path)


def test_a_package_that_cannot_be_imported_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapters, "find_spec", lambda name: True)
    monkeypatch.setitem(adapters.ADAPTERS, "timm", adapters.AdapterRow("fooling.no_such_module:f", "timm"))
    with pytest.raises(UserError, match=r"classifier=timm: cannot be imported \(ModuleNotFoundError.*'\.\[timm\]'"):
        load_classifier("timm", "a/b")


# --- Keras --------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["m.keras", rare("m.h5")])
def test_keras_gives_scores_and_is_a_jax_function(keras: Any, name: str) -> None:
    import jax

    keras_model().save(name)
    found: Any = load_classifier("keras", name)
    assert (found.input_shape, found.num_classes, found.output) == (SHAPE, 3, "probability")
    assert found(IMAGES) == pytest.approx(expected(IMAGES), abs=1e-6)
    assert np.asarray(jax.jit(found.jax_fn)(IMAGES)) == pytest.approx(found(IMAGES), abs=1e-6)
    slope = np.asarray(jax.grad(lambda x: found.jax_fn(x)[:, 1].sum())(IMAGES.astype(np.float32)))
    share = expected(IMAGES)[:, 1]
    assert slope[:, 0, 0, 1] == pytest.approx(share * (1 - share) * 10 / 255 / 20, rel=1e-4)
    assert slope[0] == pytest.approx(np.broadcast_to(slope[0, 0, 0], SHAPE))
    assert check_classifier(found).deviation < 1e-5


@pytest.mark.exhaustive
def test_keras_rescales_itself_and_says_so(keras: Any) -> None:
    keras_model(rescales=True).save("m.keras")
    found: Any = load_classifier("keras", "m.keras")
    assert found.inputs.scale == 1
    assert "layer levels rescales" in " ".join(found.notes)
    assert found(IMAGES) == pytest.approx(expected(IMAGES), abs=1e-6)
    twice: Any = load_classifier("keras", "m.keras", scale="1/255")
    assert twice.inputs.scale == pytest.approx(1 / 255)
    assert any("does so before it" in note for note in twice.notes)


@pytest.mark.exhaustive
def test_every_setting_of_a_keras_model_holds_in_jax(keras: Any) -> None:
    keras_model().save("m.keras")
    ways: dict[str, Any] = {"channels": "BGR", "mean": "0.1,0.2,0.3", "std": "0.5,1,2", "order": "2,0,1", "transpose": "true"}
    found: Any = load_classifier("keras", "m.keras", shape=(5, 4, 3), **ways)
    turned = IMAGES.swapaxes(1, 2)
    inputs = (turned.swapaxes(1, 2)[..., ::-1] / 255 - [0.1, 0.2, 0.3]) / [0.5, 1, 2]
    assert found(turned) == pytest.approx(expected(inputs, 10)[:, [2, 0, 1]], abs=1e-5)
    assert np.asarray(found.jax_fn(turned)) == pytest.approx(found(turned), abs=1e-6)
    assert np.asarray(found.jax_fn(turned.astype(np.float32))) == pytest.approx(found(turned), abs=1e-5)


def test_code_in_a_keras_model_is_refused(keras: Any) -> None:
    import h5py

    keras_model(more=[keras.layers.Lambda(lambda x: x)]).save("code.keras")
    keras_model(more=[keras.layers.Lambda(lambda x: x)]).save("code.h5")

    class Own(keras.layers.Layer):
        def call(self, inputs: Any) -> Any:
            return inputs

    keras_model(more=[Own()]).save("own.keras")
    keras_model().save_weights("w.weights.h5")
    Path("cut.keras").write_bytes(Path("own.keras").read_bytes()[:-200])
    with h5py.File("own.h5", "w") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Lambda", "config": {}})
    for name, said in {
        "code.keras": "a layer Lambda, which may run code",
        "code.h5": "a layer Lambda, which may run code",
        "own.h5": "a layer Lambda, which may run code",
        "own.keras": "a class that is not Keras's own",
        "w.weights.h5": "got weights alone",
        "cut.keras": "it cannot be read",
        "none.keras": "no such file",
        ".": "a folder without saved_model.pb",
    }.items():
        with pytest.raises(UserError, match=said) as told:
            load_classifier("keras", name)
        assert "\n" not in str(told.value)


@pytest.mark.exhaustive
def test_a_keras_model_is_fooled_in_jax_by_one_command(keras: Any, capsys: pytest.CaptureFixture[str]) -> None:
    keras_model().save("m.keras")
    words = ["run", "digit=1", "classifier=keras", "classifier.path=m.keras", "prior=none", "runs=2", "out=r", "threshold=0.9"]
    assert guarded(dispatch, [*words, "search=ascent", "generations=20"]) == 0
    assert json.loads(Path("r/run.json").read_text())["converged"] == 2
    capsys.readouterr()


def test_a_saved_model_needs_tensorflow(keras: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from fooling.classifiers.adapters import keras as adapter

    monkeypatch.setattr(adapter, "find_spec", lambda name: None)
    Path("saved").mkdir()
    Path("saved/saved_model.pb").touch()
    with pytest.raises(UserError, match="a SavedModel needs TensorFlow, which is not installed; pip install tensorflow"):
        load_classifier("keras", "saved")


def test_another_kind_of_file_is_told(keras: Any) -> None:
    keras_model().save("m.keras")
    Path("m.onnx").write_bytes(Path("m.keras").read_bytes())
    for kind in ("sklearn", "onnx"):
        with pytest.raises(UserError, match="it looks like a Keras model: give classifier=keras"):
            load_classifier(kind, "m.onnx")


def test_keras_and_the_check_read_one_part_of_a_file(keras: Any) -> None:
    """A file that is HDF5 and a zip file at once is read as its name says, as Keras reads it."""
    import h5py

    with h5py.File("both.h5", "w") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Lambda", "config": {}})
    with zipfile.ZipFile("both.h5", "a") as archive:
        archive.writestr("config.json", "{}")
    with pytest.raises(UserError, match="a layer Lambda, which may run code"):
        load_classifier("keras", "both.h5")


# --- TensorFlow Lite ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("varied", [{}, {"batch": 4}, {"is_open": True}, {"byte": "int8"}, {"byte": "uint8", "is_open": True}])
def test_tflite_gives_scores(litert: Any, varied: dict[str, Any]) -> None:
    path = write_tflite(Path("m.tflite"), labels="red\ngreen\nblue\n", **varied)
    found: Any = load_classifier("tflite", str(path))
    assert (found.input_shape, found.labels, found.output) == (SHAPE, ("red", "green", "blue"), "probability")
    assert found.fixed != varied.get("is_open", False)
    assert found(IMAGES) == pytest.approx(expected(IMAGES), abs=0.03 if "byte" in varied else 1e-6)
    assert check_classifier(found).exact
    if "byte" in varied:  # every grey level is a byte
        levels = np.arange(256, dtype=np.uint8).repeat(3).reshape(-1, 1, 1, 3)
        bytes_shown = np.rint(found.inputs(levels) * 255)
        assert np.array_equal(bytes_shown, levels)


def test_files_that_are_no_tflite_models_are_refused(litert: Any) -> None:
    whole = write_tflite(Path("m.tflite")).read_bytes()
    Path("cut.tflite").write_bytes(whole[:200])
    Path("other.tflite").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    for name, said in (
        ("cut.tflite", "LiteRT cannot read it"),
        ("other.tflite", "give classifier=keras"),
        ("no", "no such file"),
    ):
        with pytest.raises(UserError, match=said):
            load_classifier("tflite", name)
    with pytest.raises(UserError, match="output_name=x: expected one of its outputs: scores"):
        load_classifier("tflite", "m.tflite", output_name="x")
    found: Any = load_classifier("tflite", "m.tflite")
    with pytest.raises(UserError, match=r"LiteRT failed on inputs \[1, 2, 2, 3\]"):
        found.model.predict(np.zeros((1, 2, 2, 3), np.float32))


# --- OpenVINO -----------------------------------------------------------------------------------------------------------
def test_openvino_gives_scores(home: Path) -> None:
    if find_spec("openvino") is None:
        pytest.skip("openvino is not installed: pip install '.[openvino]'")
    path = write_openvino(home / "m.xml", "light_red green blue")
    found: Any = load_classifier("openvino", str(path))
    assert (found.input_shape, found.labels, found.output) == (SHAPE, ("light red", "green", "blue"), "logit")
    assert found(IMAGES) == pytest.approx(expected(IMAGES), abs=1e-5)
    assert sys.modules["openvino_telemetry"] is None  # nothing is reported to anybody
    with pytest.raises(UserError, match=r"OpenVINO failed on inputs \[1, 1, 2, 2\]"):
        found.model.predict(np.zeros((1, 1, 2, 2), np.float32))
    (home / "m.bin").unlink()
    with pytest.raises(UserError, match=r"no file m\.bin beside it"):
        load_classifier("openvino", str(path))


# --- transformers -------------------------------------------------------------------------------------------------------
PROCESSOR = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.5, 0.25, 0.2], "size": {"height": 8, "width": 8}}


def small_images() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)


def direct(model: Any, images: np.ndarray) -> np.ndarray:
    """Scores by the model itself."""
    import torch

    inputs = (images / 255 - PROCESSOR["image_mean"]) / PROCESSOR["image_std"]
    with torch.no_grad():
        logits = model(pixel_values=torch.tensor(inputs.transpose(0, 3, 1, 2), dtype=torch.float32)).logits
    return torch.softmax(logits, 1).numpy()


def test_transformers_gives_scores_with_the_processors_preprocessing(transformers: Any) -> None:
    model = write_transformers(Path("net"), **PROCESSOR)
    found: Any = load_classifier("huggingface", "net")
    assert (found.input_shape, found.labels) == ((8, 8, 3), ("cat", "dog", "owl"))
    assert found(small_images()) == pytest.approx(direct(model, small_images()), abs=1e-5)
    other: Any = load_classifier("huggingface", "net", mean="0", std="1")
    assert other.inputs.mean == (0,)
    config = Path("net/config.json")
    config.write_text(config.read_text().replace("cat", "cow"))
    assert load_classifier("huggingface", "net").fingerprint != found.fingerprint


def test_steps_of_single_processors_are_imitated(transformers: Any) -> None:
    """As EfficientNet's and MobileViT's processors compute them, and Perceiver's crops."""
    from fooling.classifiers.adapters.huggingface import sides

    model, images = write_transformers(Path("net"), **PROCESSOR), small_images()
    mean, std = np.array(PROCESSOR["image_mean"]), np.array(PROCESSOR["image_std"])
    for more, inputs in (
        ({"include_top": True}, (images / 255 - mean) / std / std),
        ({"rescale_offset": True}, (images / 255 - 1 - mean) / std),
        ({"do_flip_channel_order": True}, ((images / 255 - mean) / std)[..., ::-1]),
    ):
        Path("net/preprocessor_config.json").write_text(json.dumps(PROCESSOR | more))
        found = load_classifier("huggingface", "net")
        assert found(images) == pytest.approx(direct(model, inputs * std * 255 + mean * 255), abs=1e-5)
    sized = {"size": {"height": 4, "width": 4}, "crop_size": {"height": 6, "width": 6}, "do_center_crop": True}
    assert sides(sized, {}, None) == (3, 6, 6)
    assert sides({**sized, "image_processor_type": "PerceiverImageProcessor"}, {}, None) == (3, 4, 4)


def test_folders_of_transformers_that_are_refused(transformers: Any) -> None:
    write_transformers(Path("net"))
    assert any("no preprocessor_config.json" in note for note in load_classifier("huggingface", "net").notes)  # type: ignore[attr-defined]
    tensors = load_file("net/model.safetensors")
    save_file({name: one for name, one in tensors.items() if not name.startswith("classifier.")}, "net/model.safetensors")
    with pytest.raises(UserError, match=r"its weights lack classifier\.bias, classifier\.weight; expected a trained image"):
        load_classifier("huggingface", "net")
    Path("net/model.safetensors").rename("net/pytorch_model.bin")
    for name, said in {
        "net": r"got pytorch_model\.bin alone, which is never opened; .*save_pretrained",
        "nothing": "no such folder",
        ".": r"got no config\.json with a model_type",
        "net/config.json": "got a file",
    }.items():
        with pytest.raises(UserError, match=said):
            load_classifier("huggingface", name)


class Hub(BaseHTTPRequestHandler):
    """The part of a hub that delivers the files of one model."""

    folder = Path()

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        name = self.path.rpartition("/")[2]
        if self.path.startswith("/api/models/me/net/tree/"):
            files = sorted(self.folder.iterdir())
            listed = [{"type": "file", "path": one.name, "size": one.stat().st_size, "oid": one.name} for one in files]
            self.answer(json.dumps(listed).encode())
        elif self.path.startswith("/api/models/me/net"):
            files = [{"rfilename": file.name} for file in sorted(self.folder.iterdir())]
            self.answer(json.dumps({"id": "me/net", "sha": "a" * 40, "siblings": files}).encode())
        elif "/me/net/resolve/" in self.path and (self.folder / name).is_file():
            self.answer((self.folder / name).read_bytes())
        else:
            self.send_error(404)

    def answer(self, content: bytes) -> None:
        self.send_response(200)
        for header in {"Content-Length": str(len(content)), "ETag": f'"{len(content)}"', "X-Repo-Commit": "a" * 40}.items():
            self.send_header(*header)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *words: Any) -> None:
        pass


def test_a_hub_delivers_a_model_or_the_refusal_is_one_line(transformers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    model = write_transformers(Path("net"), **PROCESSOR)
    Hub.folder = Path("net").resolve()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(Path("cache").resolve()))
    try:
        found = load_classifier("huggingface", "me/net")
        assert found(small_images()) == pytest.approx(direct(model, small_images()), abs=1e-5)
        with pytest.raises(UserError, match="the hub does not deliver it"):
            load_classifier("huggingface", "me/other")
    finally:
        server.shutdown()
        server.server_close()


def test_one_file_of_weights_goes_before_an_index(tmp_path: Path) -> None:
    for name in ("model.safetensors", "part.safetensors"):
        save_file({"w": np.zeros(2, np.float32)}, tmp_path / name)
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"w": "part.safetensors"}}))
    assert [file.name for file in weight_files(tmp_path, "m")] == ["model.safetensors"]
    (tmp_path / "model.safetensors").unlink()
    assert [file.name for file in weight_files(tmp_path, "m")] == ["part.safetensors"]


@pytest.mark.parametrize("text", ["", "{", "[1]", "\udcff", pytest.param("[" * 100_000, id="deep")])
def test_a_damaged_json_file_is_no_missing_one(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.json"
    assert json_of(path) == {}
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(UserError, match=r"config\.json: expected a JSON object, (it cannot be read|got list)") as error:
        json_of(path)
    assert "\n" not in str(error.value)
    assert kind_of_content(tmp_path) is None


# --- timm ---------------------------------------------------------------------------------------------------------------
def test_timm_gives_scores_by_folder_and_by_name(home: Path) -> None:
    timm = pytest.importorskip("timm", reason="timm is not installed: pip install '.[timm]'", exc_type=Exception)
    import torch
    from safetensors.torch import save_file as save_torch

    torch.manual_seed(0)
    model = timm.create_model("test_resnet", num_classes=3).eval()
    save_torch(model.state_dict(), home / "w.safetensors")
    timm.models.save_for_hf(model, home / "net", model_config={"label_names": ["cat", "dog", "owl"]}, safe_serialization=True)
    data = timm.data.resolve_model_data_config(model)
    channels, height, width = data["input_size"]
    images = np.random.default_rng(1).integers(0, 256, (2, height, width, channels), dtype=np.uint8)
    inputs = torch.tensor(((images / 255 - data["mean"]) / data["std"]).transpose(0, 3, 1, 2), dtype=torch.float32)
    with torch.no_grad():
        scores = torch.softmax(model(inputs), 1).numpy()
    by_name = load_classifier("timm", "test_resnet", weights="w.safetensors")
    by_folder = load_classifier("timm", "net")
    assert (by_name.labels, by_folder.labels) == (("0", "1", "2"), ("cat", "dog", "owl"))
    assert by_name(images) == pytest.approx(scores, abs=1e-5)
    assert by_folder(images) == pytest.approx(scores, abs=1e-5)
    for name, settings, said in (
        ("test_resnet", {}, r"expected classifier\.weights=FILE\.safetensors"),
        ("test_resnot", {"weights": "w.safetensors"}, "did you mean test_resnet"),
        ("test_vit", {"weights": "w.safetensors"}, "does not fit the module|do not fit the module"),
        ("w.safetensors", {}, "weights go into classifier.weights"),
        (".", {}, r"no config\.json with an architecture"),
    ):
        with pytest.raises(UserError, match=said):
            load_classifier("timm", name, **settings)
    config, pickled = home / "net" / "config.json", home / "evil.pt"
    pickled.write_bytes(b"")
    about = json.loads(config.read_text())
    for key, value in (("checkpoint_path", str(pickled)), ("pretrained", True), ("cache_dir", "."), ("no_jit", True)):
        config.write_text(json.dumps({**about, "model_args": {key: value}}))
        with pytest.raises(UserError, match=f"model_args: expected arguments of the architecture alone, got {key}"):
            load_classifier("timm", "net")
    config.write_text(json.dumps({**about, "model_args": {"depth_of_nothing": 3}}))
    with pytest.raises(UserError, match=r"timm [\d.]+ cannot make test_resnet \(.*depth_of_nothing"):
        load_classifier("timm", "net")
    config.write_text(json.dumps(about))
    for part in ("a", "b"):
        (home / "net" / f"{part}.safetensors").write_bytes((home / "w.safetensors").read_bytes())
    (home / "net" / "model.safetensors").unlink()
    index = {"weight_map": {"w": "a.safetensors", "v": "b.safetensors"}}
    (home / "net" / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(UserError, match="expected one file of weights, got 2 parts"):
        load_classifier("timm", "net")
