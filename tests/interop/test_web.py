"""Routes of FastAPI, Starlette and Flask."""

import asyncio

import pytest

fastapi = pytest.importorskip("fastapi")

from fastapi.responses import StreamingResponse  # noqa: E402
from fastapi.testclient import TestClient  # noqa: E402
from starlette.applications import Starlette  # noqa: E402
from starlette.responses import JSONResponse  # noqa: E402
from starlette.routing import Route  # noqa: E402


@pytest.fixture
def app(client):
    app = fastapi.FastAPI()

    @app.get("/plain/{number}")
    @client.trace("plain")
    def plain(number: int, times: int = 2) -> dict:
        return {"n": number * times}

    @client.trace("inner")
    async def inner(text):
        await asyncio.sleep(0.005)
        return text.upper()

    @app.get("/coroutine/{text}")
    @client.trace("coroutine")
    async def coroutine(text: str, request: fastapi.Request) -> dict:
        return {"text": await inner(text), "path": request.url.path}

    @app.get("/stream")
    @client.trace("stream")
    async def stream():
        async def pieces():
            for number in range(3):
                await asyncio.sleep(0.001)
                yield await inner(f"a{number}")

        return StreamingResponse(pieces(), media_type="text/plain")

    @app.get("/refused")
    @client.trace("refused")
    async def refused():
        raise fastapi.HTTPException(418, "no coffee")

    with TestClient(app) as http:
        yield http


def test_a_plain_route_keeps_its_parameters(app, sent):
    assert app.get("/plain/21").json() == {"n": 42}
    assert app.get("/plain/nonsense").status_code == 422, "the route's annotations are the function's"
    (trace,) = sent()["plain"]
    assert trace["output_summary"] == "{'n': 42}" and "'number': 21" in trace["input_summary"]


def test_a_coroutine_route(app, sent):
    assert app.get("/coroutine/hello").json() == {"text": "HELLO", "path": "/coroutine/hello"}
    traces = sent()
    assert len(traces["coroutine"]) == len(traces["inner"]) == 1


def test_a_streamed_answer(app, sent):
    assert app.get("/stream").text == "A0A1A2"
    traces = sent()
    assert len(traces["stream"]) == 1 and len(traces["inner"]) == 3


def test_an_http_exception_is_the_frameworks(app, sent):
    answer = app.get("/refused")
    assert (answer.status_code, answer.json()) == (418, {"detail": "no coffee"})
    assert sent()["refused"][0]["errors"][0]["error_type"] == "HTTPException"


def test_starlette(client, sent):
    @client.trace("starlette")
    async def home(request):
        return JSONResponse({"path": request.url.path})

    @client.trace("starlette plain")
    def plain(request):
        return JSONResponse({"method": request.method})

    http = TestClient(Starlette(routes=[Route("/", home), Route("/plain", plain)]))
    assert http.get("/").json() == {"path": "/"} and http.get("/plain").json() == {"method": "GET"}
    assert set(sent()) == {"starlette", "starlette plain"}


def test_flask(client, sent):
    flask = pytest.importorskip("flask")
    app = flask.Flask("interop")

    @app.route("/hello/<name>")
    @client.trace("flask")
    def hello(name):
        return {"hello": name, "path": flask.request.path}

    @app.route("/broken")
    @client.trace("flask broken")
    def broken():
        flask.abort(404)

    http = app.test_client()
    assert http.get("/hello/ann").get_json() == {"hello": "ann", "path": "/hello/ann"}
    assert http.get("/broken").status_code == 404
    traces = sent()
    assert "ann" in traces["flask"][0]["input_summary"]
    assert traces["flask broken"][0]["errors"][0]["error_type"] == "NotFound"
