"""Verifies an assertion as a backend would: verify.py ASSERTION KEYS AUDIENCE ISSUER. Prints the claims as JSON."""
import json
import sys

import jwt

assertion, keys, audience, issuer = sys.argv[1:]
try:
    key = jwt.PyJWKClient(keys).get_signing_key_from_jwt(assertion).key
    claims = jwt.decode(
        assertion,
        key,
        algorithms=["ES256"],
        audience=audience,
        issuer=issuer,
        options={"require": ["iss", "aud", "sub", "iat", "nbf", "exp", "jti"]},
    )
except jwt.PyJWTError as error:
    sys.exit(f"{type(error).__name__}: {error}")
print(json.dumps(claims))
