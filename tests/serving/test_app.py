"""What a server promises: answers are predict's, and a test for each thing that it refuses."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect
from tests.serving.conftest import sound_of

from lstmdrop.commands.predict import predict
from lstmdrop.commands.serve import Serving, application
from lstmdrop.errors import DataError, UsageError

Client = Callable[..., TestClient]
Trained = Callable[[str], Path]
TOKEN = "a-token-of-this-test"


def alike(first: Any, second: Any) -> bool:
    """Equal, numbers up to rounding: what stands beside a request in its batch changes the last digits."""
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(alike(first[key], second[key]) for key in first)
    if isinstance(first, list | tuple):
        return len(first) == len(second) and all(map(alike, first, second))
    return bool(first == pytest.approx(second, rel=1e-4, abs=1e-4)) if isinstance(first, float) else first == second


def as_sent(output: Any) -> Any:
    return json.loads(json.dumps(output))


def test_texts_go_on_as_predict_lets_them(client: Client, trained: Trained) -> None:
    given = {"text": "the cat", "length": 6, "seed": 4, "temperature": 0.7, "ban": "<unk> music"}
    answer = client("lm").post("/lm/complete", json=given)
    options = {"prompt": given["text"], "length": 6, "seed": 4, "temperature": 0.7, "ban": ["<unk>", "music"]}
    (expected,) = predict("lm", runs=[trained("lm")], **options)
    assert answer.status_code == 200
    assert (answer.json()["text"], answer.json()["tokens"]) == (expected["text"], expected["tokens"])


def test_texts_are_scored_as_predict_scores_them(client: Client, trained: Trained) -> None:
    answer = client("lm").post("/lm/score", json={"text": "the cat sees the moon"})
    (expected,) = predict("lm", runs=[trained("lm")], inputs=["the cat sees the moon"], score=True)
    assert alike(answer.json(), as_sent(expected))


def test_lines_are_translated_as_predict_translates_them(client: Client, trained: Trained) -> None:
    answer = client("mt").post("/mt/translate", json={"text": "the red house", "num_best": 2, "beam_size": 3})
    (expected,) = predict("mt", runs=[trained("mt")], inputs=["the red house"], num_best=2, beam_size=3)
    assert alike(answer.json(), as_sent(expected))


def test_images_are_captioned_as_predict_captions_them(client: Client, trained: Trained, toy_captions: Path) -> None:
    image = toy_captions.parent / "test0.npy"
    answer = client("caption").post("/caption/caption?num_best=2", content=image.read_bytes())
    (expected,) = predict("caption", runs=[trained("caption")], inputs=[image], num_best=2)
    assert alike({**answer.json(), "image": str(image)}, as_sent(expected))


def test_sounds_are_transcribed_as_predict_transcribes_them(client: Client, trained: Trained, toy_speech: Path) -> None:
    sound = toy_speech / "test0.npy"
    answer = client("asr").post("/asr/transcribe", content=sound.read_bytes())
    (expected,) = predict("asr", runs=[trained("asr")], inputs=[sound])
    ours = {key: value for key, value in answer.json().items() if key != "real_time_factor"}
    assert alike(ours, as_sent({key: expected[key] for key in ours}))


def test_a_stream_grows_to_the_whole_answer(client: Client) -> None:
    server, given = client("lm"), {"text": "a dog", "length": 5}
    lines = server.post("/lm/complete/stream", json=given).text.strip().split("\n\n")
    assert lines[-1] == "event: done\ndata: {}"
    parts = [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]
    assert [len(part["tokens"]) for part in parts] == [1, 2, 3, 4, 5]
    assert parts[-1] == server.post("/lm/complete", json=given).json()


def test_models_of_several_tasks_stand_side_by_side_and_the_page_is_told_of_them(client: Client) -> None:
    server = client("lm", "mt", "lm")
    described = {model["name"]: [one["name"] for one in model["services"]] for model in server.get("/models").json()}
    assert described == {"lm": ["complete", "score"], "mt": ["translate"], "lm-2": ["complete", "score"]}
    assert server.post("/lm-2/score", json={"text": "a dog"}).status_code == 200
    page = server.get("/")
    assert "script-src 'self'" in page.headers["content-security-policy"]
    texts = [server.get(name).text for name in ("/", "/page.js", "/microphone.js")]
    assert not [text for text in texts if "http://" in text or "https://" in text]


def test_what_does_not_fit_is_refused_with_the_reason(client: Client) -> None:
    server = client("lm", "mt", "caption", characters=20)
    too_long = server.post("/lm/score", json={"text": "a" * 21})
    assert (too_long.status_code, too_long.json()["detail"][0]["loc"][-1]) == (422, "text")
    for body in ({}, {"text": 1}, {"text": "a", "length": 10**9}, {"text": "a", "unknown": 1}, {"text": "a\0"}):
        assert server.post("/lm/complete", json=body).status_code == 422
    banned = server.post("/lm/complete", json={"text": "a dog", "ban": "zebra"})
    assert (banned.status_code, banned.json()["detail"]) == (422, "--ban 'zebra': the vocabulary has no such token")
    assert server.post("/lm/complete/stream", json={"text": "a dog", "ban": "zebra"}).status_code == 422
    assert server.post("/mt/translate", json={"text": "one\ntwo"}).status_code == 422
    damaged = server.post("/caption/caption", content=b"no image")
    assert damaged.status_code == 422
    assert "/tmp" not in damaged.text
    assert server.post("/caption/caption").status_code == 422
    assert server.get("/lm/complete").status_code == 405
    assert server.get("/docs").status_code == 404


def test_a_body_over_the_limit_is_413_whether_it_says_its_length_or_not(client: Client) -> None:
    server = client("lm", "caption", most_bytes=1000)
    assert server.post("/lm/score", content=b"x" * 1001).status_code == 413
    assert server.post("/caption/caption", content=iter([b"x" * 600, b"x" * 600])).status_code == 413


def test_a_host_that_is_not_ours_is_refused(client: Client) -> None:
    server = client("lm", allowed_hosts=["models.example"])
    for host, status in {
        "127.0.0.1:8000": 200, "localhost": 200, "[::1]:8000": 200, "models.example": 200, "evil.example": 400,
        "127.0.0.1.evil.example": 400, "": 400, "10.0.0.1": 400, "[": 400,
    }.items():  # fmt: skip
        assert server.get("/models", headers={"Host": host}).status_code == status, host


def test_pages_of_other_sites_may_not_ask(client: Client) -> None:
    server = client("lm")
    given = {"text": "a dog"}
    assert server.post("/lm/score", json=given, headers={"Origin": "http://evil.example"}).status_code == 403
    own = server.post("/lm/score", json=given, headers={"Origin": "http://127.0.0.1:8000"})
    assert own.status_code == 200
    assert not [name for name in own.headers if name.startswith("access-control")]


def test_off_loopback_a_token_is_demanded(client: Client, trained: Trained) -> None:
    with pytest.raises(UsageError, match=r"--host 0\.0\.0\.0 can be reached from other machines: give a --token"):
        application([trained("lm")], Serving(host="0.0.0.0"))
    with pytest.raises(UsageError, match="--token has 16 or more letters"):
        application([trained("lm")], Serving(token="short"))
    server = client("lm", host="0.0.0.0", token=TOKEN)
    assert server.get("/").status_code == 200  # the page, which asks for it
    assert server.get("/models").status_code == 401
    for wrong in (TOKEN[:-1], TOKEN + "a", "", "é"):
        given = {"Authorization": f"Bearer {wrong}".encode()}
        assert server.post("/lm/score", json={"text": "a"}, headers=given).status_code == 401
    right = {"Authorization": f"Bearer {TOKEN}", "Host": "192.168.1.5:8000"}
    assert server.post("/lm/score", json={"text": "a"}, headers=right).status_code == 200


def test_the_token_is_compared_in_constant_time(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    import hmac

    asked: list[tuple[bytes, bytes]] = []
    monkeypatch.setattr(hmac, "compare_digest", lambda one, other: asked.append((one, other)) or one == other)
    client("lm", token=TOKEN).get("/models", headers={"Authorization": "Bearer wrong"})
    assert asked == [(b"wrong", TOKEN.encode())]


def test_what_takes_too_long_is_504(client: Client) -> None:
    answer = client("lm", seconds=0.001).post("/lm/complete", json={"text": "a", "length": 1000})
    assert answer.status_code == 504


def test_who_finds_no_place_is_told_when_to_come_again(client: Client) -> None:
    answer = client("lm", streams=0).post("/lm/complete/stream", json={"text": "a"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    answer = client("lm", queue=0).post("/lm/complete", json={"text": "a"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


class Trap:
    def __reduce__(self) -> Any:
        return (exec, ("raise SystemExit('code of a checkpoint was run')",))


def test_weights_are_safetensors_or_nothing_is_served(trained: Trained, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained("lm"), run)
    (run / "best.safetensors").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(DataError, match=r"best\.safetensors is damaged"):
        application([run], Serving())


HEADERS = {"Host": "127.0.0.1:8000"}


@pytest.mark.slow
def test_who_speaks_is_heard_meanwhile_and_at_the_end_as_predict_hears_the_file(listener: Path) -> None:
    with TestClient(application([listener], Serving(), device="cpu"), base_url="http://127.0.0.1:8000") as server:
        (service,) = server.get("/models").json()[0]["services"]
        rate = service["live"]["rate"]
        samples = (np.random.default_rng(1).standard_normal(rate) * 3000).astype("<i2")
        whole = server.post("/asr/transcribe", content=sound_of(samples, rate)).json()
        with server.websocket_connect("/asr/transcribe/live", headers=HEADERS) as socket:
            socket.send_json({})
            for chunk in np.array_split(samples, 7):
                socket.send_bytes(chunk.tobytes())
                said = socket.receive_json()
                assert said["final"] is False
            socket.send_text("end")
            last = socket.receive_json()
        assert (last["final"], last["seconds"], last["text"]) == (True, 1.0, whole["text"])
        assert last["text"]
        assert alike(last["words"], whole["words"])
        with server.websocket_connect("/asr/transcribe/live", headers=HEADERS) as socket:
            socket.send_json({"beam_size": -1})
            assert "detail" in socket.receive_json()
        with (
            pytest.raises(WebSocketDisconnect),
            server.websocket_connect("/asr/transcribe/live", headers={"Origin": "http://evil.example"}),
        ):
            pass
