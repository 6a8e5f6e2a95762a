//! What the status of an answer to a HEAD says of the method.

use reqwest::StatusCode;

/// The status of an answer to a HEAD that the server does not take. A throttled HEAD is not among them: a GET in its
/// place would spend the quota that HEAD spares (C94, C104).
pub fn head_not_offered(status: StatusCode) -> bool {
    matches!(status, StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED)
}

/// The status of an answer to a HEAD that may be about the method, or about what is asked for: a GET tells which. A 412, 423
/// or 451 is about what is asked for, and a 406 may be.
pub fn may_refuse_head(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::BAD_REQUEST
            | StatusCode::UNAUTHORIZED
            | StatusCode::FORBIDDEN
            | StatusCode::NOT_ACCEPTABLE
            | StatusCode::UNSUPPORTED_MEDIA_TYPE
    )
}
