//! Client certificates of X.509 version 1, which `openssl x509 -req` writes where nobody asks for more. API servers and
//! `kubectl` take them. rustls only looks whether certificate and key belong together, and cannot read them for that; so
//! for them alone this is left to the server.

use std::cell::Cell;
use std::sync::{Arc, Once};

use kube::config::Config;
use rustls::crypto::{CryptoProvider, KeyProvider, aws_lc_rs};
use rustls::pki_types::{PrivateKeyDer, SubjectPublicKeyInfoDer};
use rustls::sign::{Signer, SigningKey};
use rustls::{Error, SignatureAlgorithm, SignatureScheme};

thread_local! {
    /// Whether keys keep to themselves what they belong to.
    static UNCOMPARED: Cell<bool> = const { Cell::new(false) };
}

/// A client of this configuration.
pub(super) fn client(config: Config) -> Result<kube::Client, kube::Error> {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let provider = CryptoProvider { key_provider: &Keys, ..aws_lc_rs::default_provider() };
        // Where another one was there first, such certificates are refused as before.
        let _ = provider.install_default();
    });
    match kube::Client::try_from(config.clone()) {
        Err(error) if is_of_version_1(&error) => {
            UNCOMPARED.set(true);
            let client = kube::Client::try_from(config);
            UNCOMPARED.set(false);
            client
        }
        client => client,
    }
}

fn is_of_version_1(error: &kube::Error) -> bool {
    super::connect::chain(error).contains("UnsupportedCertVersion")
}

/// The usual keys, which may keep to themselves what they belong to.
#[derive(Debug)]
struct Keys;

impl KeyProvider for Keys {
    fn load_private_key(&self, der: PrivateKeyDer<'static>) -> Result<Arc<dyn SigningKey>, Error> {
        let key = aws_lc_rs::default_provider().key_provider.load_private_key(der)?;
        Ok(if UNCOMPARED.get() { Arc::new(Key(key)) } else { key })
    }
}

/// A key that does not say to which certificate it belongs.
#[derive(Debug)]
struct Key(Arc<dyn SigningKey>);

impl SigningKey for Key {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        self.0.choose_scheme(offered)
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        None
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.0.algorithm()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Made by `openssl x509 -req -signkey`, the second with `extendedKeyUsage=clientAuth`; good for nothing but these tests.
    const KEY: &str = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg7MrrWtelKIQBkl/U\nxhc6KcFOFSFlXAZINqScILgV0wehRANCAAT+0X1dnN0h7MtBkls4WGrXtnRASAyS\n5WQy996vwDvfpqFo3mRPTc/nr3l9RvLf4eeslh4w0imBzV76raycYwEw\n-----END PRIVATE KEY-----\n";
    const VERSION_1: &str = "-----BEGIN CERTIFICATE-----\nMIIBGTCBwQIUOstFY/ZyA0MS1KVZVW23ZeKX0vUwCgYIKoZIzj0EAwIwDzENMAsG\nA1UEAwwEdXNlcjAgFw0yNjExMjkyMDUyMTRaGA8yMTI2MTEwNTIwNTIxNFowDzEN\nMAsGA1UEAwwEdXNlcjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABP7RfV2c3SHs\ny0GSWzhYate2dEBIDJLlZDL33q/AO9+moWjeZE9Nz+eveX1G8t/h56yWHjDSKYHN\nXvqtrJxjATAwCgYIKoZIzj0EAwIDRwAwRAIgEjFLeJEKZ7qxRhGm7b6EZlfEw6Ym\nd13z9QKoJcMcKBwCIBrStT0cJ+Brjsry84ZxWkEsrjtCjKUjc4USH9DGkSy0\n-----END CERTIFICATE-----\n";
    const VERSION_3: &str = "-----BEGIN CERTIFICATE-----\nMIIBWDCB/qADAgECAhQTNQPuLFcB3E0ThoMFTz5sKgEcTTAKBggqhkjOPQQDAjAP\nMQ0wCwYDVQQDDAR1c2VyMCAXDTI2MTEyOTIwNTIxNVoYDzIxMjYxMTA1MjA1MjE1\nWjAPMQ0wCwYDVQQDDAR1c2VyMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE/tF9\nXZzdIezLQZJbOFhq17Z0QEgMkuVkMvfer8A736ahaN5kT03P5695fUby3+HnrJYe\nMNIpgc1e+q2snGMBMKM2MDQwEwYDVR0lBAwwCgYIKwYBBQUHAwIwHQYDVR0OBBYE\nFEiQjQ9u+BhgSdBvEsWrQaF05vP6MAoGCCqGSM49BAMCA0kAMEYCIQCAcTb6rf3n\nShcaf4eCl06U6KWAOHnD6XQKb8nqJEDnawIhAJhunmeEGRrxHih/I+9/XjrTE0KK\nWt1SKNd6ex1OQNiE\n-----END CERTIFICATE-----\n";
    const OTHER_KEY: &str = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg0RR3yfH0Xoplpstx\nZhbjTLc69+vNBdO9410lv9fYt5GhRANCAATG/e4h3t0yPO77/5MDJwmtIKQMmEfP\nO1phJSlE9F8JRdPuNI2SKaBQeEe5ee2/Z/9wjz9Zf6r0GGHwwxNoVrSB\n-----END PRIVATE KEY-----\n";

    fn made(certificate: &str, key: &str) -> Result<(), String> {
        use base64::Engine as _;
        let encoded = |pem: &str| base64::prelude::BASE64_STANDARD.encode(pem);
        let mut config = Config::new(http::Uri::from_static("https://k8s.example"));
        config.accept_invalid_certs = true;
        let identity = serde_json::json!({
            "client-certificate-data": encoded(certificate), "client-key-data": encoded(key),
        });
        config.auth_info = serde_json::from_value(identity).unwrap();
        client(config).map(drop).map_err(|error| super::super::connect::chain(&error))
    }

    #[tokio::test]
    async fn certificates_of_version_1_are_taken_and_others_are_compared_with_their_key() {
        assert_eq!(made(VERSION_1, KEY), Ok(()));
        assert_eq!(made(VERSION_3, KEY), Ok(()));
        assert!(made(VERSION_3, OTHER_KEY).is_err());
        assert!(made("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", KEY).is_err());
    }
}
