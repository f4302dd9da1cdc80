"""moto as AWS, with IAM enforced from the first request: signatures are verified by botocore, permissions by policies.

Prints one line of JSON: the URL, the user's keys, and the role that the user may take. usage: aws.py
"""

import json
import os

os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = "0"
# So that requests with a token of nobody, or of no region, reach nothing real.
os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")

from moto.iam.models import iam_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

ACCOUNT = "123456789012"


def policy(*actions, **more):
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"} | more
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


class Quiet(WSGIRequestHandler):

    def log_request(self, *_):
        pass


iam = iam_backends[ACCOUNT]["aws"]
user = iam.create_user("us-east-1", "erp")
iam.put_user_policy("erp", "erp", policy("s3:*", "dynamodb:*", "sts:*"))
trust = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": user.arn}}],
    }
)
role = iam.create_role("reader", trust, "/", None, "", [], "3600")
iam.put_role_policy("reader", "reader", policy("s3:List*", "s3:Get*"))
key = iam.create_access_key("erp")

server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=True, request_handler=Quiet)
print(
    json.dumps(
        {
            "url": f"http://127.0.0.1:{server.server_port}",
            "access_key_id": key.access_key_id,
            "secret_access_key": key.secret_access_key,
            "role_arn": role.arn,
        }
    ),
    flush=True,
)
server.serve_forever()
