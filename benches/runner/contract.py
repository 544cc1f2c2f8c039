"""The OpenAPI documents of the gateway's workloads."""

import json

ORDER = {
    "type": "object", "additionalProperties": False, "required": ["reference", "customer", "items"],
    "properties": {
        "reference": {"type": "string", "maxLength": 200},
        "customer": {
            "type": "object", "additionalProperties": False, "required": ["name", "country"],
            "properties": {"name": {"type": "string", "maxLength": 100}, "street": {"type": "string"},
                           "city": {"type": "string"}, "country": {"type": "string", "pattern": "^[A-Z]{2}$"}}},
        "items": {"type": "array", "maxItems": 1000, "items": {
            "type": "object", "additionalProperties": False, "required": ["sku", "quantity"],
            "properties": {"sku": {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{4}$"},
                           "quantity": {"type": "integer", "minimum": 1, "maximum": 1000},
                           "price": {"type": "number", "minimum": 0}, "note": {"type": "string", "maxLength": 200}}}},
    },
}
IDENTIFIER = {"name": "id", "in": "path", "required": True,
              "schema": {"type": "string", "pattern": "^[a-z0-9-]{1,36}$"}}
ANSWER = {"200": {"description": "done"}}
BYTES = {"required": True, "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}


def operations(anonymous):
    """What every document of the stand offers; with scopes, or to everybody."""
    search = {"name": "search", "in": "query", "schema": {"type": "string", "maxLength": 200}}
    read = [] if anonymous else [{"oauth": ["read:orders"]}]
    write = [] if anonymous else [{"oauth": ["write:orders"]}]
    return {
        "/orders": {
            "get": {"operationId": "listOrders", "security": read, "parameters": [search], "responses": ANSWER},
            "post": {"operationId": "placeOrder", "security": write, "responses": ANSWER, "requestBody": {
                "required": True, "content": {"application/json": {"schema": ORDER}}}}},
        "/orders/{id}": {
            "get": {"operationId": "getOrder", "security": read, "parameters": [IDENTIFIER], "responses": ANSWER}},
        "/big": {
            "get": {"operationId": "download", "security": read, "responses": ANSWER},
            "post": {"operationId": "upload", "security": write, "responses": ANSWER, "requestBody": BYTES}},
    }


NAMES = ["listOrders", "placeOrder", "getOrder", "download", "upload"]


def document(anonymous, extra=0):
    """The document, with so many further operations, which always need a token."""
    paths = operations(anonymous)
    for number in range(extra):
        paths[f"/things/{number}/parts/{{id}}"] = {"get": {
            "operationId": f"getPart{number}", "security": [{"oauth": ["read:orders"]}],
            "parameters": [IDENTIFIER], "responses": ANSWER}}
    flow = {"tokenUrl": "https://issuer.stand.test/token",
            "scopes": {"read:orders": "See orders", "write:orders": "Place orders"}}
    return json.dumps({
        "openapi": "3.1.0", "info": {"title": "Stand", "version": "1"},
        "servers": [{"url": "https://api.stand.test"}], "paths": paths,
        "components": {"securitySchemes": {"oauth": {"type": "oauth2", "flows": {"clientCredentials": flow}}}}})
