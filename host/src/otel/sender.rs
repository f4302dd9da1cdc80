use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use tokio::runtime::{Handle, Runtime};

/// Sends what is exported, on a thread of its own: who exports must not wait for the program's other work.
#[derive(Clone)]
pub(super) struct Sender {
    runtime: Arc<Owned>,
    client: reqwest::Client,
}

/// A runtime that is given up without waiting for it.
struct Owned(Option<Runtime>);

impl Sender {
    /// # Errors
    /// The system gives no thread, or TLS cannot be set up.
    pub(super) fn new(timeout: Duration) -> Result<Self, String> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("countersign-otel")
            .enable_all()
            .build()
            .map_err(|error| format!("the export cannot start: {error}"))?;
        let client = reqwest::Client::builder()
            .timeout(timeout)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|_| "the export cannot set up TLS")?;
        Ok(Self { runtime: Arc::new(Owned(Some(runtime))), client })
    }

    pub(super) fn runtime(&self) -> Option<&Handle> {
        self.runtime.0.as_ref().map(Runtime::handle)
    }

    pub(super) const fn client(&self) -> &reqwest::Client {
        &self.client
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl HttpClient for Sender {
    fn send_bytes<'s, 'f>(
        &'s self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'f>>
    where
        's: 'f,
        Self: 'f,
    {
        Box::pin(async move {
            let client = self.client.clone();
            // Whoever polls this has no runtime.
            let sent = self.runtime().ok_or("the export has ended")?.spawn(async move {
                let answer = client.execute(request.try_into()?).await?;
                let mut response = Response::builder().status(answer.status());
                if let Some(headers) = response.headers_mut() {
                    headers.clone_from(answer.headers());
                }
                Ok::<_, HttpError>(response.body(answer.bytes().await?)?)
            });
            sent.await?
        })
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}
