package io.homeostat.simulator;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

/** Plain HTTP requests and what a Kubernetes API server answers: the simulator and the real one alike. */
abstract class Conformance {
    private static final AtomicInteger NUMBER = new AtomicInteger();
    private static final String DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    private static final String WATCH_LIST =
            "?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeoutSeconds=1";

    private String namespace = "";

    abstract String url();

    abstract HttpClient http();

    /** An answer. */
    record Got(int status, HttpResponse<byte[]> response) {
        String text() {
            return new String(response.body(), StandardCharsets.UTF_8);
        }

        String at(String path) {
            return Client.at(Trees.parse(response.body()), path);
        }
    }

    private Got send(String method, String target, String body, String... headers)
            throws IOException, InterruptedException {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(url() + target))
                .timeout(Duration.ofSeconds(20))
                .header("User-Agent", "conformance/1.0");
        boolean typed = false;
        for (int i = 0; i < headers.length; i += 2) {
            request.header(headers[i], headers[i + 1]);
            typed |= headers[i].equals("Content-Type");
        }
        if (!body.isEmpty() && !typed) {
            request.header("Content-Type", "application/json");
        }
        request.method(method, HttpRequest.BodyPublishers.ofString(body));
        HttpResponse<byte[]> response = http().send(request.build(), HttpResponse.BodyHandlers.ofByteArray());
        return new Got(response.statusCode(), response);
    }

    private Got get(String target) throws Exception {
        return send("GET", target, "");
    }

    private Got merge(String target, String body) throws Exception {
        return send("PATCH", target, body, "Content-Type", "application/merge-patch+json");
    }

    private Got apply(String target, String body) throws Exception {
        return send("PATCH", target, body, "Content-Type", "application/apply-patch+yaml");
    }

    private List<JsonNode> watch(String target) throws Exception {
        return watch(target, "application/json");
    }

    private List<JsonNode> watch(String target, String accept) throws Exception {
        HttpRequest request = HttpRequest.newBuilder(URI.create(url() + target))
                .header("Accept", accept)
                .timeout(Duration.ofSeconds(20))
                .build();
        HttpResponse<InputStream> response = http().send(request, HttpResponse.BodyHandlers.ofInputStream());
        List<JsonNode> events = new ArrayList<>();
        try (BufferedReader lines =
                new BufferedReader(new InputStreamReader(response.body(), StandardCharsets.UTF_8))) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                events.add(Trees.parse(line.getBytes(StandardCharsets.UTF_8)));
            }
        }
        return events;
    }

    private String memcacheds() {
        return "/apis/cache.example.com/v1alpha1/namespaces/" + namespace + "/memcacheds";
    }

    private String configMaps() {
        return "/api/v1/namespaces/" + namespace + "/configmaps";
    }

    private static String memcached(String name, int size) {
        return Client.memcached(name, size);
    }

    private static void fails(Got got, int code, String reason, String message) {
        assertThat(got.status()).as(got.text()).isEqualTo(code);
        assertThat(got.response().headers().firstValue("Content-Type")).contains("application/json");
        assertThat(got.at("kind")).isEqualTo("Status");
        assertThat(got.at("message")).isEqualTo(message);
        assertThat(got.at("reason")).isEqualTo(reason);
        assertThat(got.at("code")).isEqualTo(Integer.toString(code));
    }

    @BeforeEach
    void prepare() throws Exception {
        namespace = "conformance-" + NUMBER.incrementAndGet();
        assertThat(send("POST", "/api/v1/namespaces", "{\"metadata\":{\"name\":\"" + namespace + "\"}}")
                        .status())
                .isEqualTo(201);
        send("POST", DEFINITIONS, Client.CRD); // from the second test on it is there already
        for (int i = 0; i < 1000 && get(memcacheds()).status() == 404; i++) {
            get("/livez"); // the real server takes a moment to serve it
        }
    }

    @Test
    void whatIsNoApiIsA404InPlainText() throws Exception {
        for (String target : List.of("/apis/nope/v1/foos", "/nope", "/apis/nope.example.com/v1")) {
            Got got = get(target);
            assertThat(got.status()).isEqualTo(404);
            assertThat(got.text()).isEqualTo("404 page not found\n");
            assertThat(got.response().headers().firstValue("Content-Type")).contains("text/plain; charset=utf-8");
        }
    }

    @Test
    void createGivesWhatTheServerOwns() throws Exception {
        Got got = send(
                "POST",
                memcacheds(),
                "{\"apiVersion\":\"cache.example.com/v1alpha1\",\"kind\":\"Memcached\",\"metadata\":{\"name\":\"a\"},\"spec\":{\"size\":3},\"status\":{\"readyReplicas\":2}}");
        assertThat(got.status()).isEqualTo(201);
        assertThat(got.at("spec/image")).isEqualTo("memcached:1.6-alpine");
        assertThat(got.at("status")).isEmpty();
        assertThat(got.at("metadata/generation")).isEqualTo("1");
        assertThat(got.at("metadata/uid")).hasSize(36);
        assertThat(got.at("metadata/creationTimestamp")).hasSize(20);
        assertThat(got.at("metadata/managedFields/0/manager")).isEqualTo("conformance");
        assertThat(got.at("metadata/managedFields/0/operation")).isEqualTo("Update");
        assertThat(got.at("metadata/managedFields/0/fieldsV1/f:spec"))
                .isEqualTo("{\".\":{},\"f:image\":{},\"f:size\":{}}");
    }

    @Test
    void refusedCreatesSayWhy() throws Exception {
        send("POST", memcacheds(), memcached("a", 3));
        fails(
                send("POST", memcacheds(), memcached("a", 3)),
                409,
                "AlreadyExists",
                "memcacheds.cache.example.com \"a\" already exists");
        fails(
                send("POST", memcacheds(), memcached("b", 30)),
                422,
                "Invalid",
                "Memcached.cache.example.com \"b\" is invalid: spec.size: Invalid value: 30: spec.size in body should be less than or equal to 10");
        fails(
                send("POST", "/apis/cache.example.com/v1alpha1/namespaces/absent/memcacheds", memcached("a", 3)),
                404,
                "NotFound",
                "namespaces \"absent\" not found");
        fails(
                send("POST", memcacheds(), memcached("b", 3).replace("\"name\":\"b\"", "\"namespace\":\"x\"")),
                400,
                "BadRequest",
                "the namespace of the provided object does not match the namespace sent on the request");
        fails(
                send("POST", memcacheds(), memcached("b", 3).replace("v1alpha1", "v1")),
                400,
                "BadRequest",
                "the API version in the data (cache.example.com/v1) does not match the expected API version (cache.example.com/v1alpha1)");
        fails(
                send("POST", memcacheds(), memcached("b", 3).replace("\"name\":\"b\"", "")),
                422,
                "Invalid",
                "Memcached.cache.example.com \"\" is invalid: metadata.name: Required value: name or generateName is required");
        fails(
                send(
                        "POST",
                        memcacheds(),
                        memcached("b", 3).replace("\"name\":\"b\"", "\"name\":\"b\",\"resourceVersion\":\"5\"")),
                500,
                "",
                "resourceVersion should not be set on objects to be created");
        fails(
                send("POST", memcacheds(), memcached("b", 3), "Content-Type", "text/plain"),
                415,
                "UnsupportedMediaType",
                "the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf");
        fails(
                send(
                        "POST",
                        memcacheds() + "?fieldValidation=Strict",
                        memcached("b", 3).replace("\"size\"", "\"foo\":1,\"size\"")),
                400,
                "BadRequest",
                "Memcached in version \"v1alpha1\" cannot be handled as a Memcached: strict decoding error: unknown field \"spec.foo\"");
    }

    @Test
    void unknownFieldsAreDroppedWithAWarning() throws Exception {
        Got got = send("POST", memcacheds(), memcached("a", 3).replace("\"size\"", "\"foo\":1,\"size\""));
        assertThat(got.status()).isEqualTo(201);
        assertThat(got.at("spec/foo")).isEmpty();
        assertThat(got.response().headers().firstValue("Warning")).contains("299 - \"unknown field \\\"spec.foo\\\"\"");
    }

    @Test
    void finalizersOfCustomResourcesWithoutADomainAreWarnedOf() throws Exception {
        Got got = send(
                "POST",
                memcacheds(),
                memcached("a", 3).replace("\"name\":\"a\"", "\"name\":\"a\",\"finalizers\":[\"x\"]"));
        assertThat(got.status()).as(got.text()).isEqualTo(201);
        String warning =
                "299 - \"metadata.finalizers: \\\"x\\\": prefer a domain-qualified finalizer name to avoid accidental conflicts with other finalizer writers\"";
        assertThat(got.response().headers().firstValue("Warning")).contains(warning);
        assertThat(merge(memcacheds() + "/a", "{\"spec\":{\"size\":4}}")
                        .response()
                        .headers()
                        .firstValue("Warning"))
                .isEmpty();
        merge(memcacheds() + "/a", "{\"metadata\":{\"finalizers\":null}}");
    }

    @Test
    void podsAreSelectedByTheirNodeAndPhase() throws Exception {
        String pods = "/api/v1/namespaces/" + namespace + "/pods";
        String pod = "{\"metadata\":{\"name\":\"%s\"},\"spec\":{%s\"containers\":[{\"name\":\"c\",\"image\":\"x\"}]}}";
        send("POST", pods, pod.formatted("a", "\"nodeName\":\"n\","));
        send("POST", pods, pod.formatted("b", ""));
        for (String[] pair : new String[][] {
            {"spec.nodeName%3Dn", "a"},
            {"spec.nodeName%3D", "b"},
            {"spec.nodeName!%3Dn", "b"},
            {"status.phase%3DPending,spec.hostNetwork%3Dfalse", "a,b"},
            {"status.phase%3DRunning", ""}
        }) {
            List<String> names = new ArrayList<>();
            Trees.parse(get(pods + "?fieldSelector=" + pair[0]).response().body())
                    .path("items")
                    .forEach(item -> names.add(Client.at(item, "metadata/name")));
            assertThat(String.join(",", names)).as(pair[0]).isEqualTo(pair[1]);
        }
        assertThat(types(watch(pods + "?watch=true&timeoutSeconds=1&fieldSelector=spec.nodeName%3Dn")))
                .containsExactly("ADDED a");
        send("DELETE", pods + "/a?gracePeriodSeconds=0", "");
    }

    @Test
    void generatedNamesHaveFiveSafeLetters() throws Exception {
        Got got = send("POST", memcacheds(), memcached("b", 3).replace("\"name\":\"b\"", "\"generateName\":\"b-\""));
        assertThat(got.at("metadata/name")).matches("b-[bcdfghjklmnpqrstvwxz2456789]{5}");
    }

    @Test
    void refusedUpdatesSayWhy() throws Exception {
        Got live = send("POST", memcacheds(), memcached("a", 3));
        String uid = live.at("metadata/uid");
        fails(
                send("PUT", memcacheds() + "/a", memcached("a", 4)),
                422,
                "Invalid",
                "memcacheds.cache.example.com \"a\" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for an update");
        fails(
                send(
                        "PUT",
                        memcacheds() + "/a",
                        memcached("a", 4).replace("\"name\":\"a\"", "\"name\":\"a\",\"resourceVersion\":\"1\"")),
                409,
                "Conflict",
                "Operation cannot be fulfilled on memcacheds.cache.example.com \"a\": the object has been modified; please apply your changes to the latest version and try again");
        fails(
                send("PUT", memcacheds() + "/a", memcached("b", 4)),
                400,
                "BadRequest",
                "the name of the object (b) does not match the name on the URL (a)");
        fails(
                send(
                        "PUT",
                        memcacheds() + "/z",
                        memcached("z", 4).replace("\"name\":\"z\"", "\"name\":\"z\",\"resourceVersion\":\"1\"")),
                404,
                "NotFound",
                "memcacheds.cache.example.com \"z\" not found");
        fails(
                merge(memcacheds() + "/a", "{\"metadata\":{\"resourceVersion\":\"1\"},\"spec\":{\"size\":6}}"),
                409,
                "Conflict",
                "Operation cannot be fulfilled on memcacheds.cache.example.com \"a\": the object has been modified; please apply your changes to the latest version and try again");
        assertThat(merge(memcacheds() + "/a", "{\"metadata\":{\"uid\":\"x\"}}").status())
                .isEqualTo(422);
        fails(
                send("PATCH", memcacheds() + "/a", "{}", "Content-Type", "application/strategic-merge-patch+json"),
                415,
                "UnsupportedMediaType",
                "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml");
        assertThat(get(memcacheds() + "/a").at("metadata/uid")).isEqualTo(uid);
        assertThat(get(memcacheds() + "/a").at("metadata/resourceVersion"))
                .isEqualTo(live.at("metadata/resourceVersion"));
    }

    @Test
    void writesThatChangeNothingKeepTheVersion() throws Exception {
        send("POST", memcacheds(), memcached("a", 3));
        Got first = merge(memcacheds() + "/a", "{\"spec\":{\"size\":5}}");
        assertThat(first.at("metadata/generation")).isEqualTo("2");
        Got second = merge(memcacheds() + "/a", "{\"spec\":{\"size\":5}}");
        assertThat(second.text()).isEqualTo(first.text());
        Got labelled = merge(memcacheds() + "/a", "{\"metadata\":{\"labels\":{\"x\":\"1\"}}}");
        assertThat(labelled.at("metadata/generation")).isEqualTo("2");
        assertThat(labelled.at("metadata/resourceVersion")).isNotEqualTo(first.at("metadata/resourceVersion"));
    }

    @Test
    void specAndStatusAreWrittenApart() throws Exception {
        send("POST", memcacheds(), memcached("a", 3));
        Got status = merge(
                memcacheds() + "/a/status",
                "{\"metadata\":{\"labels\":{\"x\":\"3\"}},\"spec\":{\"size\":9},\"status\":{\"readyReplicas\":1}}");
        assertThat(status.at("metadata/labels")).isEmpty();
        assertThat(status.at("spec/size")).isEqualTo("3");
        assertThat(status.at("status/readyReplicas")).isEqualTo("1");
        assertThat(status.at("metadata/generation")).isEqualTo("1");
        Got spec = merge(memcacheds() + "/a", "{\"spec\":{\"size\":4},\"status\":{\"readyReplicas\":9}}");
        assertThat(spec.at("status/readyReplicas")).isEqualTo("1");
        assertThat(spec.at("metadata/generation")).isEqualTo("2");
    }

    @Test
    void finalizersHoldAnObjectUntilTheyAreGone() throws Exception {
        send("POST", memcacheds(), memcached("a", 3));
        merge(memcacheds() + "/a", "{\"metadata\":{\"finalizers\":[\"example.com/f\"]}}");
        Got marked = send("DELETE", memcacheds() + "/a", "");
        assertThat(marked.status()).isEqualTo(200);
        assertThat(marked.at("kind")).isEqualTo("Memcached");
        assertThat(marked.at("metadata/deletionTimestamp")).isNotEmpty();
        assertThat(marked.at("metadata/deletionGracePeriodSeconds")).isEqualTo("0");
        assertThat(marked.at("metadata/generation")).isEqualTo("2");
        Got again = send("DELETE", memcacheds() + "/a", "");
        assertThat(again.text()).isEqualTo(marked.text());
        fails(
                send("POST", memcacheds(), memcached("a", 3)),
                409,
                "AlreadyExists",
                "object is being deleted: memcacheds.cache.example.com \"a\" already exists");
        fails(
                merge(memcacheds() + "/a", "{\"metadata\":{\"finalizers\":[\"example.com/f\",\"example.com/g\"]}}"),
                422,
                "Invalid",
                "Memcached.cache.example.com \"a\" is invalid: metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{\"example.com/g\"}");
        Got gone = merge(memcacheds() + "/a", "{\"metadata\":{\"finalizers\":null}}");
        assertThat(gone.status()).isEqualTo(200);
        assertThat(gone.at("metadata/resourceVersion")).isEqualTo(marked.at("metadata/resourceVersion"));
        assertThat(get(memcacheds() + "/a").status()).isEqualTo(404);
    }

    @Test
    void deletesHonourTheirOptions() throws Exception {
        String uid = send("POST", memcacheds(), memcached("a", 3)).at("metadata/uid");
        fails(
                send("DELETE", memcacheds() + "/a", "{\"preconditions\":{\"uid\":\"x\"}}"),
                409,
                "Conflict",
                "Operation cannot be fulfilled on Memcached.cache.example.com \"a\": the UID in the precondition (x) does not match the UID in record ("
                        + uid + "). The object might have been deleted and then recreated");
        fails(
                send("DELETE", memcacheds() + "/a?propagationPolicy=Foo", ""),
                422,
                "Invalid",
                "DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Unsupported value: \"Foo\": supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\"");
        assertThat(send("DELETE", memcacheds() + "/a?dryRun=All", "").at("status"))
                .isEqualTo("Success");
        assertThat(get(memcacheds() + "/a").status()).isEqualTo(200);
        Got deleted = send("DELETE", memcacheds() + "/a", "");
        assertThat(deleted.at("kind")).isEqualTo("Status");
        assertThat(deleted.at("status")).isEqualTo("Success");
        assertThat(deleted.at("details/uid")).isEqualTo(uid);
        fails(send("DELETE", memcacheds() + "/a", ""), 404, "NotFound", "memcacheds.cache.example.com \"a\" not found");
    }

    @Test
    void servicesAndPodsAnswerADeleteWithThemselves() throws Exception {
        String services = "/api/v1/namespaces/" + namespace + "/services";
        send("POST", services, "{\"metadata\":{\"name\":\"a\"},\"spec\":{\"ports\":[{\"port\":1}]}}");
        assertThat(send("DELETE", services + "/a", "").at("kind")).isEqualTo("Service");
        String pods = "/api/v1/namespaces/" + namespace + "/pods";
        send(
                "POST",
                pods,
                "{\"metadata\":{\"name\":\"a\"},\"spec\":{\"nodeName\":\"n\",\"containers\":[{\"name\":\"a\",\"image\":\"b\"}]}}");
        Got pod = send("DELETE", pods + "/a", "");
        assertThat(pod.at("metadata/deletionGracePeriodSeconds")).isEqualTo("30");
        assertThat(send("DELETE", pods + "/a?gracePeriodSeconds=0", "").at("kind"))
                .isEqualTo("Pod");
        assertThat(get(pods + "/a").status()).isEqualTo(404);
    }

    @Test
    void appliesOwnFieldsAndConflict() throws Exception {
        String body = memcached("a", 3);
        fails(
                apply(memcacheds() + "/a", body),
                422,
                "Invalid",
                "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch");
        assertThat(apply(memcacheds() + "/a?fieldManager=one", body).status()).isEqualTo(201);
        Got again = apply(memcacheds() + "/a?fieldManager=one", body);
        assertThat(again.status()).isEqualTo(200);
        assertThat(apply(memcacheds() + "/a?fieldManager=one", body).text()).isEqualTo(again.text());
        fails(
                apply(memcacheds() + "/a?fieldManager=two", memcached("a", 4)),
                409,
                "Conflict",
                "Apply failed with 1 conflict: conflict with \"one\": .spec.size");
        Got forced = apply(memcacheds() + "/a?fieldManager=two&force=true", memcached("a", 4));
        assertThat(forced.at("spec/size")).isEqualTo("4");
        fails(
                apply(memcacheds() + "/z/status?fieldManager=one", memcached("z", 4)),
                404,
                "NotFound",
                "memcacheds.cache.example.com \"z\" not found");
        fails(
                apply(
                        memcacheds() + "/z?fieldManager=one",
                        memcached("z", 4).replace("\"name\":\"z\"", "\"name\":\"z\",\"uid\":\"u\"")),
                409,
                "Conflict",
                "Operation cannot be fulfilled on memcacheds.cache.example.com \"z\": uid mismatch: the provided object specified uid u, and no existing object was found");
    }

    @Test
    void listsArePagedAtOneVersion() throws Exception {
        for (String name : List.of("a", "b", "c", "d", "e")) {
            send("POST", configMaps(), Client.configMap(name, name));
        }
        Got first = get(configMaps() + "?limit=2");
        assertThat(first.text().replace(" ", "").replace("\n", ""))
                .startsWith("{\"kind\":\"ConfigMapList\",\"apiVersion\":\"v1\",\"metadata\":{");
        assertThat(first.at("metadata/remainingItemCount")).isEqualTo("3");
        assertThat(first.at("items/0/kind")).isEmpty();
        String token = first.at("metadata/continue");
        send("DELETE", configMaps() + "/c", "");
        Got second = get(configMaps() + "?limit=2&continue=" + token);
        assertThat(second.at("items/0/metadata/name")).isEqualTo("c");
        assertThat(second.at("metadata/resourceVersion")).isEqualTo(first.at("metadata/resourceVersion"));
        assertThat(get(configMaps() + "?limit=2&resourceVersion=0").at("items/3/metadata/name"))
                .isEqualTo("e");
        Got exact = get(
                configMaps() + "?resourceVersionMatch=Exact&resourceVersion=" + first.at("metadata/resourceVersion"));
        assertThat(exact.at("items/2/metadata/name")).isEqualTo("c");
        assertThat(get(configMaps() + "?limit=2&labelSelector=x+in+(a,b,d)").at("metadata/remainingItemCount"))
                .isEmpty();
        fails(
                get(configMaps() + "?limit=2&continue=" + token + "&resourceVersion=5"),
                400,
                "BadRequest",
                "specifying resource version is not allowed when using continue");
    }

    @Test
    void listOptionsAreChecked() throws Exception {
        fails(
                get(configMaps() + "?resourceVersionMatch=Exact"),
                422,
                "Invalid",
                "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided");
        fails(
                get(configMaps() + "?watch=true&sendInitialEvents=true"),
                422,
                "Invalid",
                "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
        fails(
                get(configMaps() + "?resourceVersion=abc"),
                400,
                "BadRequest",
                "invalid resource version: resourceVersion: Invalid value: \"abc\": strconv.ParseUint: parsing \"abc\": invalid syntax");
        fails(
                get(memcacheds() + "?fieldSelector=spec.size%3D1"),
                400,
                "BadRequest",
                "field label not supported: spec.size");
        fails(
                get(memcacheds() + "?labelSelector=x+inn+(1,2)"),
                400,
                "BadRequest",
                "unable to parse requirement: found 'inn', expected: in, notin, =, ==, !=, gt, lt");
        Got ahead = get(configMaps() + "?resourceVersion=99999999");
        assertThat(ahead.status()).isEqualTo(504);
        assertThat(ahead.at("message")).startsWith("Timeout: Too large resource version: 99999999, current: ");
        assertThat(ahead.at("details/causes/0/reason")).isEqualTo("ResourceVersionTooLarge");
        assertThat(ahead.at("details/retryAfterSeconds")).isEqualTo("1");
    }

    @Test
    void selectorsSelect() throws Exception {
        for (String name : List.of("a", "b", "c")) {
            send("POST", configMaps(), Client.configMap(name, name));
        }
        send("POST", configMaps(), "{\"metadata\":{\"name\":\"d\"}}");
        for (String[] pair : new String[][] {
            {"labelSelector=x%3Da", "a"},
            {"labelSelector=x!%3Da", "b,c,d"},
            {"labelSelector=x+in+(a,c)", "a,c"},
            {"labelSelector=x+notin+(a,c)", "b,d"},
            {"labelSelector=x", "a,b,c"},
            {"labelSelector=!x", "d"},
            {"labelSelector=x,x!%3Db", "a,c"},
            {"fieldSelector=metadata.name%3Db", "b"},
            {"fieldSelector=metadata.name!%3Db,metadata.namespace%3D" + namespace, "a,c,d"}
        }) {
            JsonNode list =
                    Trees.parse(get(configMaps() + "?" + pair[0]).response().body());
            List<String> names = new ArrayList<>();
            list.path("items").forEach(item -> names.add(Client.at(item, "metadata/name")));
            assertThat(String.join(",", names)).as(pair[0]).isEqualTo(pair[1]);
        }
    }

    @Test
    void watchesBeginWhereTheyAreAsked() throws Exception {
        String before = send("POST", memcacheds(), memcached("a", 3)).at("metadata/resourceVersion");
        send("POST", memcacheds(), memcached("b", 3));
        send("DELETE", memcacheds() + "/b", "");
        assertThat(types(watch(memcacheds() + "?watch=true&timeoutSeconds=1"))).containsExactly("ADDED a");
        assertThat(types(watch(memcacheds() + "?watch=true&timeoutSeconds=1&resourceVersion=0")))
                .containsExactly("ADDED a");
        assertThat(types(watch(memcacheds() + "?watch=true&timeoutSeconds=1&resourceVersion=" + before)))
                .containsExactly("ADDED b", "DELETED b");
        List<JsonNode> initial = watch(memcacheds() + WATCH_LIST);
        assertThat(types(initial)).startsWith("ADDED a", "BOOKMARK ");
        assertThat(initial.get(1).toString()).contains("\"k8s.io/initial-events-end\":\"true\"");
        List<JsonNode> old = watch(memcacheds() + "?watch=true&timeoutSeconds=1&resourceVersion=1");
        assertThat(old).hasSize(1);
        assertThat(Client.at(old.get(0), "type")).isEqualTo("ERROR");
        assertThat(Client.at(old.get(0), "object/code")).isEqualTo("410");
        assertThat(Client.at(old.get(0), "object/message")).startsWith("too old resource version: 1 (");
    }

    @Test
    void watchesShowWhatEntersAndLeavesASelection() throws Exception {
        String from = send("POST", configMaps(), Client.configMap("a", "1")).at("metadata/resourceVersion");
        merge(configMaps() + "/a", "{\"metadata\":{\"labels\":{\"x\":\"2\"}}}");
        Got back = merge(configMaps() + "/a", "{\"metadata\":{\"labels\":{\"x\":\"1\"}}}");
        List<JsonNode> events =
                watch(configMaps() + "?watch=true&timeoutSeconds=1&labelSelector=x%3D1&resourceVersion=" + from);
        assertThat(types(events)).containsExactly("DELETED a", "ADDED a");
        assertThat(Client.at(events.get(0), "object/metadata/labels/x")).isEqualTo("1");
        assertThat(Client.at(events.get(1), "object/metadata/resourceVersion"))
                .isEqualTo(back.at("metadata/resourceVersion"));
    }

    private static List<String> types(List<JsonNode> events) {
        return events.stream()
                .map(event -> Client.at(event, "type") + " " + Client.at(event, "object/metadata/name"))
                .toList();
    }

    @Test
    void tablesAndMetadataAreGivenWhereAskedFor() throws Exception {
        send("POST", memcacheds(), memcached("a", 3));
        Got table = send("GET", memcacheds(), "", "Accept", "application/json;as=Table;v=v1;g=meta.k8s.io");
        assertThat(table.at("kind")).isEqualTo("Table");
        assertThat(table.at("columnDefinitions/1/name")).isEqualTo("Size");
        assertThat(table.at("rows/0/cells/0")).isEqualTo("a");
        assertThat(table.at("rows/0/cells/1")).isEqualTo("3");
        assertThat(table.at("rows/0/object/kind")).isEqualTo("PartialObjectMetadata");
        Got partial = send(
                "GET", memcacheds(), "", "Accept", "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io");
        assertThat(partial.at("kind")).isEqualTo("PartialObjectMetadataList");
        assertThat(partial.at("items/0/metadata/name")).isEqualTo("a");
        assertThat(partial.at("items/0/spec")).isEmpty();
        assertThat(send("GET", memcacheds(), "", "Accept", "application/xml").status())
                .isEqualTo(406);
    }

    /** As a cache of metadata asks: one object, a list, and a watch that begins with what there is. */
    @Test
    void metadataAloneIsGivenByGetListAndWatch() throws Exception {
        send("POST", memcacheds(), memcached("a", 3));
        send("POST", configMaps(), Client.configMap("a", "1"));
        String as = "application/json;as=PartialObjectMetadata";
        String rest = ";g=meta.k8s.io;v=v1,application/json";
        for (String objects : List.of(memcacheds(), configMaps())) {
            Got one = send("GET", objects + "/a", "", "Accept", as + rest);
            assertThat(one.at("kind")).isEqualTo("PartialObjectMetadata");
            assertThat(one.at("apiVersion")).isEqualTo("meta.k8s.io/v1");
            assertThat(one.at("metadata/name")).isEqualTo("a");
            assertThat(one.at("spec/size") + one.at("data/k")).isEmpty();
            Got list = send("GET", objects + "?labelSelector=!none&limit=5", "", "Accept", as + "List" + rest);
            assertThat(list.at("kind")).isEqualTo("PartialObjectMetadataList");
            assertThat(list.at("apiVersion")).isEqualTo("meta.k8s.io/v1");
            assertThat(list.at("metadata/resourceVersion")).isNotEmpty();
            String items = list.text();
            assertThat(items)
                    .contains("\"name\":\"a\"")
                    .doesNotContain("\"spec\"")
                    .doesNotContain("\"data\"");
            List<JsonNode> events = watch(
                    objects + "?watch=true&timeoutSeconds=1&sendInitialEvents=true&allowWatchBookmarks=true"
                            + "&resourceVersionMatch=NotOlderThan",
                    as + rest);
            JsonNode added = events.stream()
                    .filter(event -> Client.at(event, "object/metadata/name").equals("a"))
                    .findFirst()
                    .orElseThrow();
            assertThat(Client.at(added, "type")).isEqualTo("ADDED");
            assertThat(Client.at(added, "object/kind")).isEqualTo("PartialObjectMetadata");
            assertThat(added.toString()).doesNotContain("\"spec\"").doesNotContain("\"data\"");
            JsonNode end = events.stream()
                    .filter(event -> Client.at(event, "type").equals("BOOKMARK"))
                    .findFirst()
                    .orElseThrow();
            assertThat(Client.at(end, "object/kind")).isEqualTo("PartialObjectMetadata");
            assertThat(end.toString()).contains("\"k8s.io/initial-events-end\":\"true\"");
        }
    }

    @Test
    void discoveryNamesTheCustomResource() throws Exception {
        Got resources = get("/apis/cache.example.com/v1alpha1");
        assertThat(resources.at("kind")).isEqualTo("APIResourceList");
        assertThat(resources.text().replace(" ", "").replace("\n", ""))
                .contains(
                        "\"name\":\"memcacheds\",\"singularName\":\"memcached\",\"namespaced\":true,\"kind\":\"Memcached\"")
                .contains("\"name\":\"memcacheds/status\"");
        assertThat(get("/apis/cache.example.com").at("preferredVersion/version"))
                .isEqualTo("v1alpha1");
        Got aggregated = send(
                "GET",
                "/apis",
                "",
                "Accept",
                "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json");
        assertThat(aggregated.at("kind")).isEqualTo("APIGroupDiscoveryList");
        assertThat(aggregated.text()).contains("\"singularResource\":\"memcached\"".replace(" ", ""));
        assertThat(get("/livez").text()).isEqualTo("ok");
        assertThat(get("/version").at("minor")).isEqualTo("37");
    }

    @Test
    void collectionsAreDeletedBySelector() throws Exception {
        for (String name : List.of("a", "b")) {
            send("POST", configMaps(), Client.configMap(name, name));
        }
        Got deleted = send("DELETE", configMaps() + "?labelSelector=x%3Da", "");
        assertThat(deleted.at("kind")).isEqualTo("ConfigMapList");
        assertThat(deleted.at("items/0/metadata/name")).isEqualTo("a");
        assertThat(get(configMaps() + "/a").status()).isEqualTo(404);
        assertThat(get(configMaps() + "/b").status()).isEqualTo(200);
    }

    @Test
    void leasesAreCreatedByAPut() throws Exception {
        String leases = "/apis/coordination.k8s.io/v1/namespaces/" + namespace + "/leases";
        Got created = send("PUT", leases + "/a", "{\"metadata\":{\"name\":\"a\"},\"spec\":{\"holderIdentity\":\"b\"}}");
        assertThat(created.status()).isEqualTo(201);
        fails(
                send("PUT", leases + "/a", "{\"metadata\":{\"name\":\"a\"},\"spec\":{\"holderIdentity\":\"c\"}}"),
                422,
                "Invalid",
                "leases.coordination.k8s.io \"a\" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for an update");
        fails(
                send("PUT", configMaps() + "/z", "{\"metadata\":{\"name\":\"z\"}}"),
                404,
                "NotFound",
                "configmaps \"z\" not found");
    }

    @Test
    void anEventHasTwoFaces() throws Exception {
        String core = "/api/v1/namespaces/" + namespace + "/events";
        String grouped = "/apis/events.k8s.io/v1/namespaces/" + namespace + "/events";
        Got created = send(
                "POST",
                grouped,
                "{\"metadata\":{\"name\":\"a\"},\"regarding\":{\"kind\":\"ConfigMap\",\"namespace\":\"" + namespace
                        + "\",\"name\":\"p\"},\"eventTime\":\"2026-11-24T20:52:24.000000Z\",\"reportingController\":\"a/b\",\"reportingInstance\":\"i\",\"action\":\"Do\",\"reason\":\"R\",\"note\":\"hello\",\"type\":\"Normal\"}");
        assertThat(created.status()).as(created.text()).isEqualTo(201);
        Got asCore = get(core + "/a");
        assertThat(asCore.at("message")).isEqualTo("hello");
        assertThat(asCore.at("involvedObject/name")).isEqualTo("p");
        assertThat(asCore.at("reportingComponent")).isEqualTo("a/b");
        assertThat(get(grouped).at("items/0/note")).isEqualTo("hello");
    }

    @Test
    void wrongMethodsAreNamed() throws Exception {
        fails(send("PUT", memcacheds(), "{}"), 400, "BadRequest", "name must be provided");
        send("POST", memcacheds(), memcached("a", 3));
        fails(
                send("POST", memcacheds() + "/a/status", "{}"),
                405,
                "MethodNotAllowed",
                "create is not supported on resources of kind \"memcacheds.cache.example.com\"");
        fails(get(memcacheds() + "/a/foo"), 404, "NotFound", "memcacheds.cache.example.com \"a\" not found");
    }

    private void answersAsRecorded(String file) throws Exception {
        RecordedAnswers.check(file, namespace, (method, target, type, body) -> send(
                        method, target, body, type.isEmpty() ? new String[0] : new String[] {"Content-Type", type})
                .text());
    }

    @Test
    void ownershipAndPatchesAreAnsweredAsRecorded() throws Exception {
        answersAsRecorded("ownership.txt");
    }

    @Test
    void builtInObjectsAreDefaultedAsRecorded() throws Exception {
        answersAsRecorded("defaults.txt");
    }

    @Test
    void customResourcesAreAnsweredAsRecorded() throws Exception {
        answersAsRecorded("custom-resources.txt");
    }

    @Test
    void refusalsAreAnsweredAsRecorded() throws Exception {
        answersAsRecorded("refusals.txt");
    }

    @Test
    void cornersAreAnsweredAsRecorded() throws Exception {
        answersAsRecorded("corners.txt");
    }
}
