"""Validates Kubernetes objects with unknown fields forbidden.

Native kinds by the schemas that kubernetes-validate ships, operators' kinds by the Python models of their CRDs that
cloudcoil publishes, and the rest by k8s/schemas."""

import ast
import functools
import json
import pathlib
import re
import threading

import jsonschema
import kubernetes_validate
import referencing
import yaml

from dev.project import PROJECT

MODELS = PROJECT / ".build/tools/archives/cloudcoil/models"
FIELDS = PROJECT / "k8s/schemas"
LOCK = threading.Lock()  # the schemas are made while they are asked for
# The oldest and the newest Kubernetes that kubernetes-validate knows.
VERSIONS = ("1.33.0", "1.37.0")
DEFINITIONS = "https://kubernetes.io/api/_definitions.json"
META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"


def native_folder(version):
    return pathlib.Path(kubernetes_validate.__file__).parent / f"kubernetes-json-schema/v{version}-local-strict"


@functools.cache
def registry(version):
    contents = json.loads((native_folder(version) / "_definitions.json").read_text())
    return referencing.Registry().with_resource(DEFINITIONS, referencing.Resource.from_contents(contents))


def definition(name):
    return {"$ref": f"{DEFINITIONS}#/$defs/{name}"}


def top(kind, api_version, properties, required):
    """The schema of a whole object."""
    properties = {
        "apiVersion": {"const": api_version},
        "kind": {"const": kind},
        "metadata": definition(META),
        **properties,
    }
    return {
        "type": "object",
        "properties": properties,
        "required": ["apiVersion", "kind", "metadata", *required],
        "additionalProperties": False,
    }


# cloudcoil's models, read as text: they need a newer Python than Debian's, and their classes let unknown fields pass.


class Models:
    """The classes of one module as JSON schemas."""

    SCALARS = {
        "str": "string",
        "int": "integer",
        "bool": "boolean",
        "float": "number",
        "AwareDatetime": "string",
        "Base64Str": "string",
    }

    def __init__(self, text):
        # Parsed one by one when asked for: a whole module takes seconds.
        self.texts = {found[2]: found[1] for found in re.finditer(r"(?ms)^(class (\w+)\b.*?)(?=^[\w@]|\Z)", text)}
        self.definitions = {}

    @functools.cache
    def parsed(self, name):
        return ast.parse(self.texts[name]).body[0]

    def kind(self, api_version, kind):
        """The schema of a whole object."""
        for name, text in self.texts.items():
            if f'Literal["{kind}"]' not in text or f'Literal["{api_version}"]' not in text:
                continue
            node = self.parsed(name)
            fields = {field.target.id: field for field in node.body if isinstance(field, ast.AnnAssign)}
            if {"api_version", "kind"} <= fields.keys():
                body = self.model(name)
                properties = {
                    k: v for k, v in body["properties"].items() if k not in ("apiVersion", "kind", "metadata")
                }
                required = [k for k in body["required"] if k in properties]
                return top(kind, api_version, properties, required) | {"$defs": self.definitions}
        return None

    def model(self, name):
        node = self.parsed(name)
        for base in node.bases:
            if isinstance(base, ast.Subscript) and base.value.id == "RootModel":
                return self.type(base.slice)
        properties, required = {}, []
        for field in node.body:
            if not isinstance(field, ast.AnnAssign) or "ClassVar" in ast.dump(field.annotation):
                continue
            options = self.options(field.annotation) | self.options(field.value)
            wire = options.get("alias", field.target.id)
            properties[wire] = self.type(field.annotation)
            if field.value is None:
                required.append(wire)
        schema = {"type": "object", "properties": properties, "required": required}
        # An object whose fields the CRD leaves open is a class with a configuration of its own.
        if not any(isinstance(field, ast.Assign) and field.targets[0].id == "model_config" for field in node.body):
            schema["additionalProperties"] = False
        return schema

    @staticmethod
    def options(node):
        call = (
            next((n for n in ast.walk(node) if isinstance(n, ast.Call) and n.func.id == "Field"), None)
            if node
            else None
        )
        return {k.arg: k.value.value for k in call.keywords if isinstance(k.value, ast.Constant)} if call else {}

    def type(self, node):
        match node:
            case ast.Constant(value=None):
                return {"type": "null"}
            case ast.Constant(value=str() as quoted):
                return self.type(ast.parse(quoted, mode="eval").body)
            case ast.Name(id=name) if name in self.SCALARS:
                return {"type": self.SCALARS[name]}
            case ast.Name(id="ObjectMeta"):
                return definition(META)
            case ast.Name(id=name) if name in self.texts:
                if name not in self.definitions:
                    self.definitions[name] = {}  # a class may hold itself
                    self.definitions[name] = self.model(name)
                return {"$ref": f"#/$defs/{name}"}
            case ast.Name(id="Any"):
                return {}
            case ast.BinOp(left=left, right=right):
                return {"anyOf": [self.type(left), self.type(right)]}
            case ast.Subscript(value=ast.Name(id="Annotated"), slice=ast.Tuple(elts=[inner, *_])):
                return self.type(inner)
            case ast.Subscript(value=ast.Name(id="Literal"), slice=choice):
                return {"enum": [c.value for c in (choice.elts if isinstance(choice, ast.Tuple) else [choice])]}
            case ast.Subscript(value=ast.Name(id="list"), slice=inner):
                return {"type": "array", "items": self.type(inner)}
            case ast.Subscript(value=ast.Name(id="dict"), slice=ast.Tuple(elts=[_, inner])):
                return {"type": "object", "additionalProperties": self.type(inner)}
        raise ValueError(f"no schema for {ast.unparse(node)}")


# k8s/schemas: the fields that this project uses of kinds without a published Python model.


def of_fields(value):
    """The schema that a value of k8s/schemas/*.yaml stands for; its README says how they are written."""
    if isinstance(value, dict):
        properties, required = {}, []
        for name, inner in value.items():
            properties[name.rstrip("!")] = of_fields(inner)
            if name.endswith("!"):
                required.append(name[:-1])
        return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    if isinstance(value, list):
        return {"type": "array", "items": of_fields(value[0])}
    scalars = {
        "string": {"type": "string"},
        "integer": {"type": "integer"},
        "boolean": {"type": "boolean"},
        "number|string": {"type": ["integer", "number", "string"]},
        "any": {},
        "strings": {"type": "object", "additionalProperties": {"type": "string"}},
    }
    if value in scalars:
        return scalars[value]
    if value.startswith("io.k8s."):
        return definition(value)
    if "|" in value:
        return {"enum": value.split("|")}
    raise ValueError(f"k8s/schemas: no such type: {value}")


def own_kinds(text):
    for document in yaml.safe_load_all(text):
        for kind, fields in document["kinds"].items():
            schema = of_fields(fields)
            yield document["apiVersion"], kind, top(
                kind, document["apiVersion"], schema["properties"], schema["required"]
            )


@functools.cache
def models(path):
    return Models(path.read_text())


@functools.cache
def custom_kind(api_version, kind):
    """The schema of an operator's kind; None: there is none."""
    for path in sorted(FIELDS.glob("*.yaml")):
        for found_version, found_kind, schema in own_kinds(path.read_text()):
            if (found_version, found_kind) == (api_version, kind):
                return schema
    for path in sorted(MODELS.rglob("v*.py")):
        if f'Literal["{api_version}"]' in path.read_text() and (schema := models(path).kind(api_version, kind)):
            return schema
    return None


@functools.cache
def native_kind(version, api_version, kind):
    group = re.sub(r"^([^./]*)(?:\.[^/]*)?/", r"\1-", api_version)
    path = native_folder(version) / f"{kind.lower()}-{group}.json"
    return json.loads(path.read_text()) if path.exists() else None


@functools.cache
def validators(api_version, kind):
    """By Kubernetes version: native kinds differ, and so do the native parts of custom kinds."""
    custom = custom_kind(api_version, kind)
    schemas = {version: custom or native_kind(version, api_version, kind) for version in VERSIONS}
    return {
        version: schema and jsonschema.Draft202012Validator(schema, registry=registry(version))
        for version, schema in schemas.items()
    }


def problems(item):
    """What is wrong with an object, one line each."""
    name = f"{item.get('kind')} {item.get('metadata', {}).get('name')}"
    found = []
    with LOCK:
        by_version = validators(item.get("apiVersion", ""), item.get("kind", ""))
    for version, validator in by_version.items():
        if validator is None:
            found.append(
                f"{name}: no schema of {item.get('apiVersion')} {item.get('kind')} in Kubernetes {version}, cloudcoil or k8s/schemas"
            )
            continue
        for error in validator.iter_errors(item):
            error = jsonschema.exceptions.best_match([error]) or error
            found.append(f"{name}: {error.json_path.lstrip('$.') or 'object'}: {error.message[:300]}")
    return list(dict.fromkeys(found))
