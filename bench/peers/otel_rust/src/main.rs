//! What a span costs its caller with OpenTelemetry for Rust: start, attributes of 100 bytes in and out, end; the batch
//! processor as it comes, an exporter that only counts (it encodes and sends nothing, which is in OpenTelemetry's favour).
//! Bursts of 1,000 with a pause between them, as in bench_c_trace.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use opentelemetry::trace::{Span, Tracer, TracerProvider};
use opentelemetry::KeyValue;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{BatchSpanProcessor, SdkTracerProvider, SpanData, SpanExporter};

const BATCHES: usize = 200;
const EACH: usize = 1000;
static ARRIVED: AtomicUsize = AtomicUsize::new(0);

#[derive(Debug)]
struct Counting;

impl SpanExporter for Counting {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        ARRIVED.fetch_add(batch.len(), Ordering::Relaxed);
        Ok(())
    }
}

fn main() {
    let input = "i".repeat(100);
    let output = "o".repeat(100);
    let provider = SdkTracerProvider::builder()
        .with_span_processor(BatchSpanProcessor::builder(Counting).build())
        .build();
    let tracer = provider.tracer("bench");
    let mut ns = Vec::new();
    for batch in 0..BATCHES + 5 {
        std::thread::sleep(Duration::from_millis(10));
        let start = Instant::now();
        for _ in 0..EACH {
            let mut span = tracer.start("Email Classifier");
            span.set_attribute(KeyValue::new("input.value", input.clone()));
            span.set_attribute(KeyValue::new("output.value", output.clone()));
            span.end();
        }
        if batch >= 5 {
            ns.push(start.elapsed().as_nanos() as f64 / EACH as f64);
        }
    }
    let _ = provider.shutdown();
    ns.sort_by(|a, b| a.partial_cmp(b).unwrap());
    println!(
        "start, input, output, end          median {:6.0} ns   best {:6.0} ns   p99 {:6.0} ns",
        ns[BATCHES / 2],
        ns[0],
        ns[BATCHES * 99 / 100]
    );
    println!("spans {} of {} kept", ARRIVED.load(Ordering::Relaxed), (BATCHES + 5) * EACH);
}
