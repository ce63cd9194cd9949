//! The provider over the network.

use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreClientAuthMethod, CoreJwsSigningAlgorithm, CoreProviderMetadata,
    CoreUserInfoClaims,
};
use openidconnect::{
    AuthType, AuthorizationCode, ClaimsVerificationError, ClientId, ClientSecret, CsrfToken, EndpointMaybeSet,
    EndpointNotSet, EndpointSet, HttpRequest, HttpResponse, IssuerUrl, Nonce, OAuth2TokenResponse, PkceCodeChallenge,
    PkceCodeVerifier, RedirectUrl, Scope, TokenResponse,
};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use crate::domain::EmailAddress;
use crate::domain::oidc::{OIDC_SUBJECT_MAX, OidcIdentity, OidcSettings};
use crate::guarded_address::operator_http;

/// The deadline of one request with its answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
const RESPONSE_BYTES_MAX: usize = 256 * 1024;
/// How long the discovery document and the keys are not read again.
const METADATA_FRESH: Duration = Duration::from_secs(600);
/// How long a document is used that cannot be read again.
const METADATA_STALE_MAX: Duration = Duration::from_secs(6 * 3_600);
/// A token may be signed with a new key, which is read at most this often.
const METADATA_AGE_MIN: Duration = Duration::from_secs(30);
/// Sign-ins that talk to the provider at the same time. Those above wait; each has a deadline.
const CONCURRENT_REQUESTS_MAX: usize = 16;
const WAIT_MAX: Duration = Duration::from_secs(5);
/// The deadline of a whole step of a sign-in, with all its requests and its wait. Somebody sits before the browser.
const STEP_TIMEOUT: Duration = Duration::from_secs(12);

type HttpAnswer = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpFault>> + Send>>;
type Client =
    CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointMaybeSet, EndpointMaybeSet>;

pub struct OidcProvider {
    settings: OidcSettings,
    issuer: IssuerUrl,
    metadata: RwLock<Option<Metadata>>,
    permits: Semaphore,
    /// One sign-in at a time reads the discovery document.
    reading: Semaphore,
}

#[derive(Clone)]
struct Metadata {
    document: Arc<CoreProviderMetadata>,
    read_at: Instant,
}

impl std::fmt::Debug for OidcProvider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.settings.fmt(f)
    }
}

/// Why a request failed: a sentence for the log.
#[derive(thiserror::Error, Debug)]
#[error("{0}")]
struct HttpFault(String);

impl OidcProvider {
    /// Nothing is sent yet: the provider may be started after this server.
    pub fn new(settings: OidcSettings) -> Result<Self, String> {
        let issuer = IssuerUrl::new(settings.issuer.clone()).map_err(|error| error.to_string())?;
        let permits = Semaphore::new(CONCURRENT_REQUESTS_MAX);
        Ok(Self { settings, issuer, metadata: RwLock::default(), permits, reading: Semaphore::new(1) })
    }

    pub fn name(&self) -> &str {
        &self.settings.name
    }

    pub fn issuer(&self) -> &str {
        &self.settings.issuer
    }

    pub fn trusts_email(&self) -> bool {
        self.settings.trusts_email
    }

    /// The page of the provider on which somebody signs in. The error is for the log, here and below.
    pub async fn authorization_url(
        &self,
        redirect: &str,
        state: &str,
        nonce: String,
        verifier: String,
    ) -> Result<String, String> {
        in_time(self.read_authorization_url(redirect, state, nonce, verifier)).await
    }

    async fn read_authorization_url(
        &self,
        redirect: &str,
        state: &str,
        nonce: String,
        verifier: String,
    ) -> Result<String, String> {
        let _permit = self.permit().await?;
        let client = self.client(redirect, &self.metadata(METADATA_FRESH).await?)?;
        let challenge = PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(verifier));
        let state = CsrfToken::new(state.to_owned());
        let request = client.authorize_url(CoreAuthenticationFlow::AuthorizationCode, || state, || Nonce::new(nonce));
        let request = request.add_scope(Scope::new("email".to_owned())).add_scope(Scope::new("profile".to_owned()));
        Ok(request.set_pkce_challenge(challenge).url().0.to_string())
    }

    /// Exchanges a code for a token, and reads who it is about.
    pub async fn identity(
        &self,
        redirect: &str,
        code: String,
        nonce: String,
        verifier: String,
    ) -> Result<OidcIdentity, String> {
        in_time(self.read_identity(redirect, code, nonce, verifier)).await
    }

    async fn read_identity(
        &self,
        redirect: &str,
        code: String,
        nonce: String,
        verifier: String,
    ) -> Result<OidcIdentity, String> {
        let _permit = self.permit().await?;
        let client = self.client(redirect, &self.metadata(METADATA_FRESH).await?)?;
        let http = self.http();
        let exchange = client.exchange_code(AuthorizationCode::new(code)).map_err(|error| error.to_string())?;
        let exchange = exchange.set_pkce_verifier(PkceCodeVerifier::new(verifier));
        let token = exchange.request_async(&http).await.map_err(|error| chain(&error))?;
        let id_token = token.id_token().ok_or("the answer has no ID token")?;
        let nonce = Nonce::new(nonce);
        let mut is_verification_known = false;
        let mut read = |client: &Client| -> Result<OidcIdentity, ClaimsVerificationError> {
            let verifier = client.id_token_verifier().set_allowed_algs(ALGORITHMS);
            let claims = id_token.claims(&verifier, &nonce)?;
            let nickname = claims.nickname().and_then(|name| name.get(None)).map(|name| name.as_str());
            let given = claims.given_name().and_then(|name| name.get(None)).map(|name| name.as_str());
            let names = [nickname, claims.preferred_username().map(|name| name.as_str()), given];
            is_verification_known = claims.email().is_some() && claims.email_verified().is_some();
            Ok(OidcIdentity {
                issuer: claims.issuer().as_str().to_owned(),
                subject: claims.subject().as_str().to_owned(),
                email: claims.email().and_then(|email| EmailAddress::parse(email.as_str()).ok()),
                is_email_verified: claims.email_verified() == Some(true),
                names: names.into_iter().flatten().map(str::to_owned).collect(),
            })
        };
        let identity = match read(&client) {
            Err(ClaimsVerificationError::SignatureVerification(_)) => {
                // The provider may have changed its keys since they were read.
                let client = self.client(redirect, &self.metadata(METADATA_AGE_MIN).await?)?;
                read(&client).map_err(|error| chain(&error))?
            }
            read => read.map_err(|error| chain(&error))?,
        };
        if !(1..=OIDC_SUBJECT_MAX).contains(&identity.subject.len()) {
            return Err("the subject of the token has no valid length".to_owned());
        }
        if is_verification_known || client.user_info_url().is_none() {
            return Ok(identity);
        }
        // Some providers put the address, or whether it was verified, only there.
        let subject = openidconnect::SubjectIdentifier::new(identity.subject.clone());
        let request =
            client.user_info(token.access_token().clone(), Some(subject)).map_err(|error| error.to_string())?;
        let info: CoreUserInfoClaims = request.request_async(&http).await.map_err(|error| chain(&error))?;
        let named = info.email().and_then(|email| EmailAddress::parse(email.as_str()).ok());
        Ok(identity.with_user_info(named, info.email_verified() == Some(true)))
    }

    fn client(&self, redirect: &str, metadata: &Arc<CoreProviderMetadata>) -> Result<Client, String> {
        if self.needs_https() && metadata.authorization_endpoint().url().scheme() != "https" {
            return Err("the provider names a page to sign in that is not https".to_owned());
        }
        let redirect = RedirectUrl::new(redirect.to_owned()).map_err(|error| error.to_string())?;
        let secret = self.settings.client_secret.clone().map(ClientSecret::new);
        let id = ClientId::new(self.settings.client_id.clone());
        let client =
            CoreClient::from_provider_metadata(metadata.as_ref().clone(), id, secret).set_redirect_uri(redirect);
        // By the standard a provider that names no way takes the header.
        let in_body = metadata.token_endpoint_auth_methods_supported().is_some_and(|known| {
            !known.contains(&CoreClientAuthMethod::ClientSecretBasic)
                && known.contains(&CoreClientAuthMethod::ClientSecretPost)
        });
        Ok(if in_body { client.set_auth_type(AuthType::RequestBody) } else { client })
    }

    fn known(&self, age_max: Duration) -> Option<Arc<CoreProviderMetadata>> {
        let known = self.metadata.read().unwrap_or_else(PoisonError::into_inner).clone();
        known.filter(|known| known.read_at.elapsed() < age_max).map(|known| known.document)
    }

    /// The discovery document with the keys, not older than `age_max`. While one sign-in reads it, the others take the one before, or wait
    /// for the new one: a provider that is slow gets one request, not sixteen.
    async fn metadata(&self, age_max: Duration) -> Result<Arc<CoreProviderMetadata>, String> {
        if let Some(known) = self.known(age_max) {
            return Ok(known);
        }
        let stale = self.known(METADATA_STALE_MAX).filter(|_| age_max == METADATA_FRESH);
        let _reading = match (self.reading.try_acquire(), &stale) {
            (Ok(permit), _) => permit,
            (Err(_), Some(stale)) => return Ok(stale.clone()),
            (Err(_), None) => self.reading.acquire().await.map_err(|error| error.to_string())?,
        };
        if let Some(known) = self.known(age_max) {
            return Ok(known);
        }
        let http = self.http();
        let read = CoreProviderMetadata::discover_async(self.issuer.clone(), &http).await;
        let document = match (read, stale) {
            (Ok(document), _) => Arc::new(document),
            (Err(error), Some(stale)) => {
                tracing::warn!(
                    why = chain(&error),
                    "the identity provider cannot be read again; what was known stays in use"
                );
                return Ok(stale);
            }
            (Err(error), None) => return Err(format!("{}: {}", self.settings.issuer, chain(&error))),
        };
        let new = Metadata { document: document.clone(), read_at: Instant::now() };
        *self.metadata.write().unwrap_or_else(PoisonError::into_inner) = Some(new);
        Ok(document)
    }

    fn http(&self) -> impl Fn(HttpRequest) -> HttpAnswer + use<> {
        let needs_https = self.needs_https();
        move |request| Box::pin(send(needs_https, request))
    }

    /// Only a provider on the same machine may do without.
    fn needs_https(&self) -> bool {
        self.issuer.url().scheme() == "https"
    }

    async fn permit(&self) -> Result<SemaphorePermit<'_>, String> {
        let permit = timeout(WAIT_MAX, self.permits.acquire()).await;
        permit.map_err(|_| "too many sign-ins wait for the identity provider")?.map_err(|error| error.to_string())
    }
}

/// Signatures by keys that the provider publishes. Those with the client's secret are not among them.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

async fn in_time<T>(step: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let answer = timeout(STEP_TIMEOUT, step).await;
    answer.unwrap_or_else(|_| Err("the identity provider did not answer in time".to_owned()))
}

/// One request, and its answer with a limit. An issuer behind https must not send us to an address without: a user who reads or changes
/// the answers on their way could sign in as anybody.
async fn send(needs_https: bool, request: HttpRequest) -> Result<HttpResponse, HttpFault> {
    if needs_https && request.uri().scheme_str() != Some("https") {
        return Err(HttpFault(format!("the provider names an address that is not https: {}", request.uri())));
    }
    let answer = timeout(REQUEST_TIMEOUT, operator_http::send(request, RESPONSE_BYTES_MAX)).await;
    answer.unwrap_or_else(|_| Err("it did not answer in time".to_owned())).map_err(HttpFault)
}

/// An error with its causes: the outer ones say only which step failed.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use tokio::net::TcpListener;

    use super::*;

    fn provider(address: std::net::SocketAddr) -> OidcProvider {
        let settings = OidcSettings {
            issuer: format!("http://{address}"),
            client_id: "shop".to_owned(),
            client_secret: None,
            name: "Provider".to_owned(),
            trusts_email: false,
        };
        OidcProvider::new(settings).unwrap()
    }

    async fn begin(provider: &OidcProvider) -> Result<String, String> {
        let (nonce, verifier) = ("n".to_owned(), "v".repeat(43));
        provider.authorization_url("http://shop.example/done", "state", nonce, verifier).await
    }

    #[tokio::test]
    async fn sign_ins_at_once_read_a_slow_provider_once_and_end_in_time() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let provider = Arc::new(provider(listener.local_addr().unwrap()));
        let connections = Arc::new(AtomicU64::new(0));
        let counted = connections.clone();
        // It takes every connection and never answers.
        let server = tokio::spawn(async move {
            let mut open = Vec::new();
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                open.push(stream);
            }
        });
        let began = Instant::now();
        let mut begun = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let provider = provider.clone();
            begun.spawn(async move { begin(&provider).await });
        }
        for ended in begun.join_all().await {
            assert!(ended.unwrap_err().contains("in time"));
        }
        assert!(began.elapsed() < STEP_TIMEOUT + Duration::from_secs(2), "{:?}", began.elapsed());
        let tried = connections.load(Ordering::Relaxed);
        assert!((1..=3).contains(&tried), "{tried} requests went to the provider, one after the other");
        server.abort();
    }

    #[tokio::test]
    async fn provider_behind_https_cannot_send_us_to_an_address_without() {
        for address in ["http://login.example/token", "/token", "ftp://login.example"] {
            let mut request = HttpRequest::new(Vec::new());
            *request.uri_mut() = address.parse().unwrap();
            let fault = send(true, request).await.unwrap_err();
            assert!(fault.0.contains("not https"), "{address}: {fault}");
        }
    }
}
