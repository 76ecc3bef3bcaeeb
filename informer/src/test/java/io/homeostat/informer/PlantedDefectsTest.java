package io.homeostat.informer;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/**
 * Defects that somebody could make, one a promise and one a trap, planted one at a time: the seeds of {@link InformerSimulationTest} must
 * find each. What is not found says that the questions or the histories are too weak.
 *
 * <p>{@code ./mvnw -pl informer -am test -Dtest=PlantedDefectsTest -Dsurefire.failIfNoSpecifiedTests=false
 * -Dhomeostat.informer.write-table=true} writes the table of docs/guarantees.md anew.
 */
class PlantedDefectsTest {
    private static final int MOST = 3000;
    private static final Path TABLE = Path.of("../docs/guarantees.md");
    private static final String BEGIN = "<!-- planted defects of the cache -->\n";
    private static final String END = "<!-- end of planted defects of the cache -->\n";

    /**
     * A defect.
     *
     * @param id what {@link io.homeostat.core.EngineRuntime#planted} is asked for
     * @param promise what it breaks
     * @param words what goes wrong
     */
    record Defect(String id, String promise, String words) {}

    static final List<Defect> DEFECTS = List.of(
            new Defect("informer.no-version-check", "P-C1", "older versions overwrite newer ones"),
            new Defect("informer.epoch-ignored", "P-C1", "versions that went back are taken for a list as any other"),
            new Defect("reflector.stale-frames-accepted", "P-C1", "frames of a stream that was given up are applied"),
            new Defect(
                    "informer.bookmark-before-events", "P-C1", "a bookmark counts before the events that came with it"),
            new Defect(
                    "reflector.unread-frame-skipped",
                    "P-C1, D32",
                    "a frame that cannot be read is passed over, and the version goes on"),
            new Defect("informer.uid-change-as-update", "P-C2", "another UID under a key is told as an update"),
            new Defect("handler.merge-out-of-order", "P-C2, D7", "of a merged delete and add the add is told first"),
            new Defect("informer.relist-tells-unchanged", "P-C2, D25", "a relist tells what has not changed"),
            new Defect("informer.missed-delete-untold", "P-C3", "what a relist lacks goes without a word"),
            new Defect(
                    "handler.tombstone-not-last",
                    "P-C3",
                    "a delete shows what the handler saw last, not the last state"),
            new Defect("handler.synced-early", "P-C4", "a handle is synced when all was offered, not told"),
            new Defect(
                    "informer.late-handler-gap", "P-C5", "what arrives while a late handler begins is not told to it"),
            new Defect("handler.merged-wake-lost", "P-C6, D7", "of merged versions only the last counts for mappers"),
            new Defect("handler.throw-ends-it", "P-C6", "a handler that throws is told nothing more"),
            new Defect(
                    "informer.false-delete", "P-C7, D32", "what a list with unreadable items lacks is taken as gone"),
            new Defect(
                    "informer.holes-ignored",
                    "P-C7, D10, D32",
                    "a list with unreadable items ends own writes it could not show"),
            new Defect("informer.doubts-never-asked", "P-C7, D32", "what a list left open is never asked for"),
            new Defect("reflector.half-open-unnoticed", "P-C8, D9", "a silent stream is never given up"),
            new Defect(
                    "reflector.stuck-at-one-version",
                    "P-C8, P-C9",
                    "a version that no watch gets past is watched from again and again, for ever"),
            new Defect("reflector.resume-after-410", "P-C9", "a version too old is tried again, instead of a list"),
            new Defect("reflector.retry-after-ignored", "P-C9", "Retry-After is not waited for"),
            new Defect("informer.torn-relist", "P-C10", "a relist shows half way"),
            new Defect("reflector.pages-shown-one-by-one", "P-C10", "pages of a list show as they come"),
            new Defect("informer.no-overlay", "P-C11, D10", "own writes do not show"),
            new Defect(
                    "informer.overlay-dropped-early", "P-C11, D10", "the next event of any object ends all own writes"),
            new Defect("informer.overlay-leaked", "P-C11, D10", "an own write that the cache has passed stays"),
            new Defect("informer.own-delete-shown", "P-C11, D10", "what this process deleted still shows"),
            new Defect("informer.own-write-unindexed", "P-C11, D30", "own writes do not show by owner"),
            new Defect("informer.echo-dropped", "P-C11, D22", "the echo of an own write is told to nobody"),
            new Defect(
                    "client.interrupted-write-lost",
                    "P-C11, D10",
                    "the write of an interrupted caller is given up before its answer"),
            new Defect("reflector.forbidden-is-final", "P-C12", "a 403 is not asked again"),
            new Defect("reflector.close-leaves-stream", "P-C13", "a stop leaves its stream open"),
            new Defect("handler.told-after-close", "P-C13", "a closed handler is told what waited"));

    @Test
    void everyPlantedDefectIsFound() throws InterruptedException, IOException {
        Map<String, Long> found = new ConcurrentSkipListMap<>();
        AtomicInteger next = new AtomicInteger();
        List<Thread> players = new ArrayList<>();
        for (int i = 0; i < Math.max(1, Runtime.getRuntime().availableProcessors()); i++) {
            Thread player = new Thread(
                    () -> {
                        for (int at = next.getAndIncrement(); at < DEFECTS.size(); at = next.getAndIncrement()) {
                            String id = DEFECTS.get(at).id();
                            for (long seed = 0; seed < MOST && !found.containsKey(id); seed++) {
                                if (!InformerSimulationTest.play(seed, id).isEmpty()) {
                                    found.put(id, seed + 1);
                                }
                            }
                        }
                    },
                    "player-" + i);
            player.start();
            players.add(player);
        }
        for (Thread player : players) {
            player.join();
        }
        assertThat(found.keySet())
                .containsExactlyInAnyOrderElementsOf(
                        DEFECTS.stream().map(Defect::id).toList());
        if (Boolean.getBoolean("homeostat.informer.write-table")) {
            write(found);
        }
    }

    @Test
    void theTableNamesEveryDefect() throws IOException {
        String table = Files.readString(TABLE);
        assertThat(DEFECTS).allSatisfy(defect -> assertThat(table).contains("| `" + defect.id() + "` |"));
    }

    private static void write(Map<String, Long> found) throws IOException {
        StringBuilder table = new StringBuilder(BEGIN)
                .append("| Defect | What goes wrong | Breaks | Seeds needed |\n|---|---|---|---|\n");
        for (Defect defect : DEFECTS) {
            table.append("| `")
                    .append(defect.id())
                    .append("` | ")
                    .append(defect.words())
                    .append(" | ");
            table.append(defect.promise())
                    .append(" | ")
                    .append(found.get(defect.id()))
                    .append(" |\n");
        }
        String page = Files.readString(TABLE);
        int begin = page.indexOf(BEGIN);
        int end = page.indexOf(END);
        Files.writeString(TABLE, page.substring(0, begin) + table + page.substring(end));
    }
}
