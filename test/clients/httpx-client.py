"""What httpx.test.ts tells it to do, through httpx. Prints JSON, or the pieces of a stream as they come."""

import asyncio
import json
import os
import sys

import httpx

SETTINGS = {
    "base_url": os.environ["URL"],
    "headers": {"Authorization": "Bearer " + os.environ["KEY"]},
    "timeout": 20,
}


def pieces_of(content):
    for begin in range(0, len(content), 65536):
        yield content[begin : begin + 65536]


def call(method, path, text="", padding="0", how=""):
    content = text.encode() if text else bytes(int(padding))
    if how == "pieces":
        content = pieces_of(content)
    headers = {"Content-Type": "application/json"} if text else {}
    with httpx.Client(**SETTINGS) as client:
        answer = client.request(method, path, content=content or None, headers=headers)
    error = None
    try:
        answer.raise_for_status()
    except httpx.HTTPStatusError as raised:
        error = type(raised).__name__
    print(json.dumps({"status": answer.status_code, "headers": dict(answer.headers), "body": answer.json(), "error": error}))


def stream(path):
    with httpx.Client(**SETTINGS) as client, client.stream("GET", path) as answer:
        for line in answer.iter_lines():
            print(line.rstrip("\n"), flush=True)


def many(*names):
    async def name_of(client, name):
        return (await client.get("/things/" + name)).json()["name"]

    async def all_of():
        async with httpx.AsyncClient(**SETTINGS) as client:
            return await asyncio.gather(*(name_of(client, name) for name in names))

    print(json.dumps(asyncio.run(all_of())))


{"call": call, "stream": stream, "many": many}[sys.argv[1]](*sys.argv[2:])
