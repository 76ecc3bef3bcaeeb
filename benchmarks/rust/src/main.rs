//! The reflector of kube-rs; commands come as lines, answers go as lines of JSON (benchmarks/README.md).

use std::io::BufRead;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::{WatchStreamExt, reflector, watcher};
use kube::{Api, Client, Config, CustomResource, Resource, ResourceExt};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

const STAMP: &str = "bench.homeostat.io/stamp";
const LIMIT: Duration = Duration::from_secs(600);
const QUIET: Duration = Duration::from_millis(300);

#[derive(CustomResource, Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[kube(group = "bench.homeostat.io", version = "v1", kind = "Widget", namespaced, status = "WidgetStatus")]
#[serde(rename_all = "camelCase")]
struct WidgetSpec {
    replicas: i32,
    image: String,
    colour: String,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    env: Vec<Variable>,
    #[serde(default)]
    ports: Vec<Port>,
    #[serde(default)]
    selector: std::collections::BTreeMap<String, String>,
}

#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
struct Variable {
    name: String,
    value: String,
}

#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
struct Port {
    name: String,
    port: i32,
    protocol: String,
}

#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct WidgetStatus {
    phase: String,
    ready_replicas: i32,
    observed_generation: i64,
    conditions: Vec<Condition>,
}

#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Condition {
    #[serde(rename = "type")]
    type_: String,
    status: String,
    reason: String,
    message: String,
    last_transition_time: String,
}

#[derive(Clone, Copy)]
struct Meter {
    at: Instant,
    cpu_us: u64,
}

impl Meter {
    fn now() -> Meter {
        let mut usage = unsafe { std::mem::zeroed::<libc::rusage>() };
        assert_eq!(0, unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut usage) });
        let micros = |time: libc::timeval| time.tv_sec as u64 * 1_000_000 + time.tv_usec as u64;
        Meter { at: Instant::now(), cpu_us: micros(usage.ru_utime) + micros(usage.ru_stime) }
    }

    fn since(&self, begin: &Meter) -> String {
        format!("\"seconds\":{:.6},\"cpu_us\":{}", (self.at - begin.at).as_secs_f64(), self.cpu_us - begin.cpu_us)
    }
}

#[derive(Default)]
struct Counts {
    objects: u64,
    adds: AtomicU64,
    updates: AtomicU64,
    calls: AtomicU64,
    complete: AtomicBool,
    first: Mutex<Option<Meter>>,
    synced: Mutex<Option<Meter>>,
    latencies: Mutex<Vec<u64>>,
}

impl Counts {
    fn added(&self) {
        self.calls.fetch_add(1, SeqCst);
        if self.adds.fetch_add(1, SeqCst) == 0 {
            *self.first.lock().unwrap() = Some(Meter::now());
        }
    }

    fn updated(&self, stamp: Option<&String>) {
        self.calls.fetch_add(1, SeqCst);
        if let Some(made) = stamp.and_then(|stamp| stamp[1..].parse::<u64>().ok()).filter(|made| *made > 0) {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as u64;
            self.latencies.lock().unwrap().push(now.saturating_sub(made).max(1));
        }
        self.updates.fetch_add(1, SeqCst);
    }

    fn look(&self) {
        let mut synced = self.synced.lock().unwrap();
        if synced.is_none() && self.complete.load(SeqCst) && self.adds.load(SeqCst) >= self.objects {
            *synced = Some(Meter::now());
        }
    }

    fn phase(&self) {
        self.updates.store(0, SeqCst);
        self.calls.store(0, SeqCst);
        self.latencies.lock().unwrap().clear();
    }
}

/// Follows all namespaces until it is dropped; the store keeps the objects, as users of a reflector have it.
async fn follow<K>(client: Client, counts: Arc<Counts>)
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug + Send + Sync + 'static,
{
    let (reader, writer) = reflector::store::<K>();
    let stream = reflector(writer, watcher(Api::<K>::all(client), watcher::Config::default()).default_backoff());
    futures::pin_mut!(stream);
    while let Some(event) = stream.next().await {
        match event {
            // Of a list after the first each object is told as a change: which it is there cannot be seen.
            Ok(watcher::Event::InitApply(object)) if counts.complete.load(SeqCst) => counts.updated(object.labels().get(STAMP)),
            Ok(watcher::Event::InitApply(object)) => {
                std::hint::black_box(object.labels().get(STAMP));
                counts.added();
            }
            Ok(watcher::Event::InitDone) => {
                counts.complete.store(true, SeqCst);
                counts.look();
            }
            Ok(watcher::Event::Apply(object)) => counts.updated(object.labels().get(STAMP)),
            Ok(watcher::Event::Init | watcher::Event::Delete(_)) => {}
            Err(problem) => eprintln!("kube-rs: {problem}"),
        }
    }
    drop(reader);
}

fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + LIMIT;
    while !holds() {
        assert!(Instant::now() < end, "not so within {LIMIT:?}: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn at(sorted: &[u64], share: f64) -> u64 {
    sorted.get(((sorted.len() as f64 * share) as usize).min(sorted.len().saturating_sub(1))).copied().unwrap_or(0)
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let objects = args[3].parse().unwrap();
    let mut counts = Arc::new(Counts::default());
    let mut begin = Meter::now();
    let mut task = None;
    println!("{{\"at\":\"ready\",\"cpu_us\":{},\"runtime\":\"rust\"}}", begin.cpu_us);
    for line in std::io::stdin().lock().lines() {
        let line = line.unwrap();
        let words: Vec<&str> = line.split(' ').collect();
        match words[0] {
            "sync" => {
                counts = Arc::new(Counts { objects, ..Counts::default() });
                begin = Meter::now();
                let (told, file, pods) = (counts.clone(), args[1].clone(), args[2] == "pods");
                task = Some(runtime.spawn(async move {
                    let file = Kubeconfig::read_from(file).unwrap();
                    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.unwrap();
                    let client = Client::try_from(config).unwrap();
                    if pods {
                        follow::<Pod>(client, told).await
                    } else {
                        follow::<Widget>(client, told).await
                    }
                }));
                wait_until("the cache is full", || counts.synced.lock().unwrap().is_some());
                println!("{{\"at\":\"first\",{}}}", counts.first.lock().unwrap().unwrap().since(&begin));
                println!("{{\"at\":\"synced\",{}}}", counts.synced.lock().unwrap().unwrap().since(&begin));
            }
            "events" => {
                let expected: u64 = words[1].parse().unwrap();
                counts.phase();
                begin = Meter::now();
                println!("{{\"at\":\"armed\",\"expected\":{expected}}}");
                wait_until("all events were told", || counts.updates.load(SeqCst) >= expected);
                std::thread::sleep(QUIET);
                let end = Meter::now();
                let mut latencies = counts.latencies.lock().unwrap();
                latencies.sort();
                println!(
                    "{{\"at\":\"events\",{},\"events\":{},\"calls\":{},\"reconciles\":0,\"p50_us\":{},\"p99_us\":{}}}",
                    end.since(&begin),
                    counts.updates.load(SeqCst),
                    counts.calls.load(SeqCst),
                    at(&latencies, 0.5),
                    at(&latencies, 0.99)
                );
            }
            "heap" => {
                // What malloc has handed out: no counting allocator, which would cost what is measured.
                let info = unsafe { libc::mallinfo2() };
                println!("{{\"at\":\"heap\",\"heap\":{}}}", info.uordblks + info.hblkhd);
            }
            "mark" => {
                let now = Meter::now();
                println!(
                    "{{\"at\":\"mark\",{},\"calls\":{},\"reconciles\":0}}",
                    now.since(&begin),
                    counts.calls.load(SeqCst)
                );
                counts.phase();
                begin = now;
            }
            "close" => {
                if let Some(running) = task.take() {
                    running.abort();
                    let _ = runtime.block_on(running); // an abort ends it with an error, as it should
                }
                println!("{{\"at\":\"closed\",\"cpu_us\":{}}}", Meter::now().cpu_us);
            }
            other => panic!("unknown command: {other}"),
        }
    }
}
