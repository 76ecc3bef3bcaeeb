package io.homeostat.simulator;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import org.assertj.core.api.SoftAssertions;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Requests and what a real kube-apiserver answered to them, kept as files: each request is followed by {@code = } and the answer,
 * without what differs from run to run (times, UIDs, versions, addresses). They are recorded anew by running
 * {@code RealServerConformanceTest} with {@code -Dtest.args=-Drecord.answers=true}.
 */
final class RecordedAnswers {
    private static final Path FILES = Path.of("src", "test", "resources", "io", "homeostat", "simulator", "answers");
    private static final Map<String, String> TYPES = Map.of(
            "apply", "application/apply-patch+yaml",
            "merge", "application/merge-patch+json",
            "patch", "application/json-patch+json",
            "json", "application/json");

    /** How Go calls a field and its type, which is not held to. */
    private static final String GO_TYPE = "(Go struct field) \\S+ of type [^\\s\"]+";

    /** The whole object that a patch made, which the real server shows. */
    private static final String PATCHED = "(Invalid value:) \\\\\"\\{.*?\\}\\\\\": ";

    private RecordedAnswers() {}

    /** Sends one request. */
    interface Server {
        String send(String method, String target, String contentType, String body) throws Exception;
    }

    /** Sends the requests of a file in a namespace of its own and compares the answers with the recorded ones. */
    static void check(String file, String namespace, Server server) throws Exception {
        List<String> lines = lines(file);
        List<String> recorded = new ArrayList<>();
        SoftAssertions answers = new SoftAssertions();
        int requests = 0;
        for (int i = 0; i < lines.size(); i++) {
            String line = lines.get(i);
            if (line.startsWith("#") || line.isBlank()) {
                recorded.add(line);
                continue;
            }
            if (line.startsWith("= ")) {
                continue;
            }
            String[] words = line.split(" ", 4);
            String target = words[1].replace("NAMESPACE", namespace);
            String body = words.length > 3 ? words[3].replace("NAMESPACE", namespace) : "";
            recorded.add(line);
            if (words[0].equals("DEFINE")) {
                server.send("POST", target, "application/json", body);
                continue;
            }
            if (words[0].equals("AWAIT")) {
                for (int n = 0; n < 2000 && server.send("GET", target, "", "").startsWith("404"); n++) {
                    server.send("GET", "/livez", "", "");
                }
                continue;
            }
            String answer = server.send(words[0], target, TYPES.getOrDefault(words[2], ""), body);
            String plain = plain(answer.replace(namespace, "NAMESPACE"));
            recorded.add("= " + plain);
            requests++;
            String expected = i + 1 < lines.size() && lines.get(i + 1).startsWith("= ")
                    ? lines.get(i + 1).substring(2)
                    : "nothing recorded";
            answers.assertThat(plain).as(line).isEqualTo(expected);
        }
        assertThat(requests).as("requests in " + file).isPositive();
        if (Boolean.getBoolean("record.answers")) {
            Files.write(FILES.resolve(file), recorded);
        } else {
            answers.assertAll();
        }
    }

    private static List<String> lines(String file) throws IOException {
        try (InputStream in = RecordedAnswers.class.getResourceAsStream("answers/" + file)) {
            if (in == null) {
                throw new IOException("no recorded answers " + file);
            }
            return List.of(new String(in.readAllBytes(), StandardCharsets.UTF_8).split("\n", -1)).stream()
                    .toList();
        }
    }

    /** An answer without what differs from run to run, its fields sorted. */
    private static String plain(String answer) {
        if (!answer.startsWith("{")) {
            return answer.strip();
        }
        if (!(Json.parsed(answer) instanceof ObjectNode object)) {
            return answer;
        }
        if (Json.textAt(object, "kind").equals("Status")) {
            sort(Json.listAt(object, "details", "causes"), Comparator.comparing(Json::text));
            object.retain(List.of("kind", "code", "reason", "message", "details"));
            return Json.text(Trees.sorted(object))
                    .replaceAll(GO_TYPE, "$1 FIELD of type TYPE")
                    .replaceAll(PATCHED, "$1 OBJECT: ")
                    .replaceAll("(UID in object meta:|in record) [-(0-9a-f)]+", "$1 ITS");
        } else if (object.get("metadata") instanceof ObjectNode metadata) {
            plainMetadata(metadata);
            for (JsonNode item : Json.listAt(object, "items")) {
                plainMetadata((ObjectNode) item.get("metadata"));
            }
            if (object.get("spec") instanceof ObjectNode spec
                    && Json.textAt(spec, "clusterIP").startsWith("10.")) {
                spec.put("clusterIP", "ADDRESS").putArray("clusterIPs").add("ADDRESS");
            }
        }
        return Json.text(Trees.sorted(object));
    }

    private static void plainMetadata(ObjectNode metadata) {
        metadata.remove(List.of("uid", "resourceVersion", "creationTimestamp"));
        if (metadata.has("deletionTimestamp")) {
            metadata.put("deletionTimestamp", "TIME");
        }
        ArrayNode entries = Json.listAt(metadata, "managedFields");
        for (JsonNode entry : entries) {
            if (entry instanceof ObjectNode fields && fields.has("time")) {
                fields.put("time", "TIME");
            }
        }
        sort(
                entries,
                Comparator.comparing(
                        e -> Json.textAt(e, "operation") + Json.textAt(e, "manager") + Json.textAt(e, "subresource")));
    }

    private static void sort(ArrayNode list, Comparator<JsonNode> order) {
        List<JsonNode> items = new ArrayList<>();
        list.forEach(items::add);
        items.sort(order);
        list.removeAll();
        list.addAll(items);
    }
}
