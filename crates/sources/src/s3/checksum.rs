//! The checksum that servers of older date want with a write.
//!
//! The SDK sends a CRC, which S3 takes; MinIO and others ask for `Content-MD5` with legal holds and tags and refuse
//! what comes without it. S3 takes both, so both are sent.

use aws_sdk_s3::client::customize::CustomizableOperation;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use md5::{Digest as _, Md5};

/// The same request with `Content-MD5`, where its body is at hand.
pub(super) fn with_md5<T, E, B>(request: CustomizableOperation<T, E, B>) -> CustomizableOperation<T, E, B> {
    request.mutate_request(|request| {
        let Some(body) = request.body().bytes() else { return };
        let sum = STANDARD.encode(Md5::digest(body));
        if let Ok(value) = HeaderValue::from_str(&sum) {
            request.headers_mut().insert("content-md5", value);
        }
    })
}
