package io.homeostat.simulator;

import io.homeostat.core.Headers;
import io.homeostat.core.HttpAnswer;
import io.homeostat.core.HttpCall;
import io.homeostat.core.Transport;
import io.homeostat.core.TransportException;
import io.homeostat.virtualruntime.VirtualProcess;
import io.homeostat.virtualruntime.VirtualWorld;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.zip.GZIPInputStream;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/** A plain client of a simulator in a virtual world: one line a request. */
final class Client {
    static final String MEMCACHED = "/apis/cache.example.com/v1alpha1/namespaces/default/memcacheds";
    static final String CONFIG_MAPS = "/api/v1/namespaces/default/configmaps";
    static final String DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments";
    static final String CRD =
            """
            {"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"memcacheds.cache.example.com"},
            "spec":{"group":"cache.example.com","scope":"Namespaced","names":{"plural":"memcacheds","singular":"memcached","kind":"Memcached","shortNames":["mc"]},
            "versions":[{"name":"v1alpha1","served":true,"storage":true,"subresources":{"status":{}},
            "additionalPrinterColumns":[{"name":"Size","type":"integer","jsonPath":".spec.size"},{"name":"Ready","type":"integer","jsonPath":".status.readyReplicas"},{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}],
            "schema":{"openAPIV3Schema":{"type":"object","properties":{"spec":{"type":"object","required":["size"],"properties":{"size":{"type":"integer","minimum":1,"maximum":10},"image":{"type":"string","default":"memcached:1.6-alpine"}}},
            "status":{"type":"object","properties":{"readyReplicas":{"type":"integer"},"observedGeneration":{"type":"integer"}}}}}}}]}}
            """;

    private final VirtualWorld world;
    final VirtualProcess process;
    final Transport transport;

    Client(VirtualWorld world, Simulator simulator, String name) {
        this.world = world;
        this.process = world.process(name);
        this.transport = simulator.transport(process);
    }

    /** An answer: its status and its body. */
    record Got(int status, Headers headers, byte[] bytes) {
        String text() {
            return new String(bytes, StandardCharsets.UTF_8);
        }

        JsonNode json() {
            return Trees.parse(bytes);
        }

        /** The string or number at a path of field names and indexes, as text; "" when absent. */
        String at(String path) {
            return Client.at(json(), path);
        }
    }

    static String at(JsonNode from, String path) {
        JsonNode node = from;
        for (String step : path.split("/", -1)) {
            node = step.matches("\\d+") ? node.path(Integer.parseInt(step)) : node.path(step);
        }
        return node.isMissingNode() || node.isNull() ? "" : node.isString() ? node.stringValue() : node.toString();
    }

    Got send(String method, String target, String body, String... headers) {
        Headers all = Headers.of("User-Agent", "test/1.0");
        for (int i = 0; i < headers.length; i += 2) {
            all = all.with(headers[i], headers[i + 1]);
        }
        if (!body.isEmpty() && all.first("Content-Type").isEmpty()) {
            all = all.with("Content-Type", "application/json");
        }
        HttpCall call = new HttpCall(method, target, all, body.getBytes(StandardCharsets.UTF_8), HttpCall.Kind.REQUEST);
        CompletableFuture<HttpAnswer> answer =
                transport.send(call, Integer.MAX_VALUE).toCompletableFuture();
        world.runUntil(answer::isDone, Duration.ofMinutes(1));
        HttpAnswer got = answer.join();
        return new Got(got.status(), got.headers(), got.body());
    }

    Got get(String target) {
        return send("GET", target, "");
    }

    Got post(String target, String body) {
        return send("POST", target, body);
    }

    Got put(String target, String body) {
        return send("PUT", target, body);
    }

    Got merge(String target, String body) {
        return send("PATCH", target, body, "Content-Type", "application/merge-patch+json");
    }

    Got apply(String target, String manager, String body) {
        return send(
                "PATCH",
                target + (target.contains("?") ? "&" : "?") + "fieldManager=" + manager,
                body,
                "Content-Type",
                "application/apply-patch+yaml");
    }

    Got delete(String target) {
        return send("DELETE", target, "");
    }

    static String memcached(String name, int size) {
        return "{\"apiVersion\":\"cache.example.com/v1alpha1\",\"kind\":\"Memcached\",\"metadata\":{\"name\":\"" + name
                + "\"},\"spec\":{\"size\":" + size + "}}";
    }

    static String configMap(String name, String label) {
        return "{\"metadata\":{\"name\":\"" + name + "\",\"labels\":{\"x\":\"" + label + "\"}},\"data\":{\"a\":\"b\"}}";
    }

    static String deployment(String name, int replicas) {
        return """
                {"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"%s"},"spec":{"replicas":%d,
                "selector":{"matchLabels":{"app":"%s"}},"template":{"metadata":{"labels":{"app":"%s"}},
                "spec":{"containers":[{"name":"c","image":"i"}]}}}}"""
                .formatted(name, replicas, name, name);
    }

    Stream watch(String target, String... headers) {
        return new Stream(target, Integer.MAX_VALUE, headers);
    }

    Stream watchSlowly(String target, int demand) {
        return new Stream(target, demand);
    }

    /** An open watch. */
    final class Stream implements Transport.AnswerListener {
        final Transport.Exchange exchange;
        final ByteArrayOutputStream body = new ByteArrayOutputStream();
        int status;
        Headers headers = Headers.NONE;
        boolean ended;

        @Nullable
        TransportException failure;

        Stream(String target, int demand, String... headers) {
            Headers all = Headers.of("User-Agent", "test/1.0");
            for (int i = 0; i < headers.length; i += 2) {
                all = all.with(headers[i], headers[i + 1]);
            }
            exchange = transport.open(new HttpCall("GET", target, all, new byte[0], HttpCall.Kind.STREAM), this);
            exchange.demand(demand);
        }

        @Override
        public void head(int status, Headers headers) {
            this.status = status;
            this.headers = headers;
        }

        @Override
        public void chunk(byte[] bytes) {
            body.writeBytes(bytes);
        }

        @Override
        public void end() {
            ended = true;
        }

        @Override
        public void failed(TransportException cause) {
            failure = cause;
        }

        boolean over() {
            return ended || failure != null;
        }

        byte[] plain() {
            if (headers.first("Content-Encoding").isEmpty()) {
                return body.toByteArray();
            }
            try (GZIPInputStream in = new GZIPInputStream(new ByteArrayInputStream(body.toByteArray()))) {
                return in.readAllBytes();
            } catch (IOException e) {
                throw new IllegalStateException(e);
            }
        }

        List<JsonNode> events() {
            List<JsonNode> events = new ArrayList<>();
            for (String line : new String(plain(), StandardCharsets.UTF_8).split("\n", -1)) {
                if (!line.isEmpty()) {
                    events.add(Trees.parse(line.getBytes(StandardCharsets.UTF_8)));
                }
            }
            return events;
        }

        /** The events as {@code TYPE name}, in order. */
        List<String> seen() {
            world.runFor(Duration.ofMillis(200));
            List<String> seen = new ArrayList<>();
            for (JsonNode event : events()) {
                seen.add((Client.at(event, "type") + " " + Client.at(event, "object/metadata/name")).trim());
            }
            return seen;
        }
    }
}
