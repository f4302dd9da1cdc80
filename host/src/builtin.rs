//! The profile types that are linked in. A crate that is named here registers its types by itself.

use countersign_api_key as _;
use countersign_aws_sigv4 as _;
use countersign_basic as _;
use countersign_bearer as _;
use countersign_client_certificate as _;
use countersign_command as _;
use countersign_digest as _;
use countersign_hmac as _;
use countersign_http_signature as _;
use countersign_jwt_bearer as _;
use countersign_oauth1 as _;
use countersign_oauth2 as _;
use countersign_session as _;
