"""What requests.test.ts tells it to do, through requests. Prints JSON, or the pieces of a stream as they come."""

import concurrent.futures
import json
import os
import sys

import requests

URL = os.environ["URL"]
session = requests.Session()
session.headers["Authorization"] = "Bearer " + os.environ["KEY"]


def pieces_of(data):
    for begin in range(0, len(data), 65536):
        yield data[begin : begin + 65536]


def call(method, path, text="", padding="0", how=""):
    data = text.encode() if text else bytes(int(padding)) or None
    if how == "pieces":
        data = pieces_of(data)
    headers = {"Content-Type": "application/json"} if text else {}
    answer = session.request(method, URL + path, data=data, headers=headers, timeout=20)
    error = None
    try:
        answer.raise_for_status()
    except requests.HTTPError as raised:
        error = type(raised).__name__
    told = {name.lower(): value for name, value in answer.headers.items()}
    print(json.dumps({"status": answer.status_code, "headers": told, "body": answer.json(), "error": error}))


def stream(path):
    with session.get(URL + path, stream=True, timeout=20) as answer:
        for line in answer.iter_lines(chunk_size=1):
            print(line.decode(), flush=True)


def many(*names):
    def name_of(name):
        return session.get(URL + "/things/" + name, timeout=20).json()["name"]

    with concurrent.futures.ThreadPoolExecutor(len(names)) as pool:
        print(json.dumps(list(pool.map(name_of, names))))


{"call": call, "stream": stream, "many": many}[sys.argv[1]](*sys.argv[2:])
