"""An outside client of machine control: Debian's grpcio and protobuf, and the descriptor set that the image brings.

    control.py ADDRESS call METHOD JSON [SECONDS]    prints {"code", "details", "response"} as one line of JSON; instead of
                                                     JSON, hex:BYTES or zeros:COUNT are the bytes of a request
    control.py ADDRESS watch JSON                    prints each response of WatchAlarms as a line of JSON, with the time "heard_s"
    control.py ADDRESS follow JSON                   the same, and goes on behind its last token whenever the server is away
    control.py ADDRESS stall JSON                    begins to watch, reads nothing until a line comes on stdin, then as watch

The messages are made of proto/control.binpb, not of generated code. A watch that ends prints {"code", "details"}.
"""
import json
import pathlib
import sys
import time

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

ROOT = pathlib.Path(__file__).resolve().parents[3]
SERVICE = "iot.Control"

files = descriptor_pb2.FileDescriptorSet.FromString((ROOT / "proto/control.binpb").read_bytes())
pool = descriptor_pool.DescriptorPool()
for file in files.file:
    pool.Add(file)
factory = message_factory.MessageFactory(pool)
METHODS = pool.FindServiceByName(SERVICE).methods_by_name


def say(**fields):
    print(json.dumps(fields), flush=True)


def plain(message):
    return json_format.MessageToDict(message, preserving_proto_field_name=True)


def stub(channel, name):
    method = METHODS[name]
    make = channel.unary_stream if method.server_streaming else channel.unary_unary
    return make(f"/{SERVICE}/{name}",
                request_serializer=factory.GetPrototype(method.input_type).SerializeToString,
                response_deserializer=factory.GetPrototype(method.output_type).FromString)


def request(name, text):
    return json_format.Parse(text, factory.GetPrototype(METHODS[name].input_type)())


def call(channel, name, text, seconds="30"):
    try:
        # Bytes that are no request can be sent, too.
        if text.startswith(("hex:", "zeros:")):
            kind, value = text.split(":")
            send = channel.unary_unary(f"/{SERVICE}/{name}")
            send(bytes.fromhex(value) if kind == "hex" else bytes(int(value)), timeout=float(seconds))
            return say(code="OK", details="", response={})
        say(code="OK", details="", response=plain(stub(channel, name)(request(name, text), timeout=float(seconds))))
    except grpc.RpcError as error:
        say(code=error.code().name, details=error.details(), response={})


def watch(channel, text, wait=lambda: None, keep=lambda token: None):
    """Prints responses until the stream ends, and returns its status."""
    responses = stub(channel, "WatchAlarms")(request("WatchAlarms", text))
    try:
        wait()
        for response in responses:
            keep(response.token)
            if response.HasField("alarm"):
                response.alarm.text = response.alarm.text[:100]
            say(**plain(response), heard_s=time.time())
    except grpc.RpcError as error:
        return error.code(), error.details()
    return responses.code(), responses.details()


def follow(address, text):
    wanted = json.loads(text)

    def keep(token):
        wanted.pop("from_beginning", None)
        wanted["after"] = token

    while True:
        with grpc.insecure_channel(address) as channel:
            code, details = watch(channel, json.dumps(wanted), keep=keep)
        say(code=code.name, details=details)
        if code != grpc.StatusCode.UNAVAILABLE:
            return
        time.sleep(0.1)


def main():
    address, verb, *rest = sys.argv[1:]
    if verb == "follow":
        return follow(address, *rest)
    with grpc.insecure_channel(address) as channel:
        if verb == "call":
            return call(channel, *rest)
        code, details = watch(channel, *rest, wait=sys.stdin.readline if verb == "stall" else lambda: None)
        say(code=code.name, details=details)


main()
