package io.homeostat.informer;

import io.fabric8.kubernetes.api.model.ObjectMetaBuilder;
import io.homeostat.client.ApiClient;
import io.homeostat.client.ApiException;
import io.homeostat.client.BlockingApiClient;
import io.homeostat.client.DroppedPaths;
import io.homeostat.client.ObjectKey;
import io.homeostat.core.Headers;
import io.homeostat.core.Task;
import io.homeostat.informer.SeedServer.Said;
import io.homeostat.informer.SeedServer.Thing;
import io.homeostat.virtualruntime.Faults;
import io.homeostat.virtualruntime.VirtualNetwork;
import io.homeostat.virtualruntime.VirtualProcess;
import io.homeostat.virtualruntime.VirtualWorld;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/**
 * One seed's history: a server that fails, a network that loses, an operator that writes, crashes and changes its handlers; questions
 * after every step ({@link Sight}, {@link Witness}, {@link Tap}); and at the end, when nothing fails any more, the last one: does
 * everybody know what the server has, and is nothing left over?
 */
final class SeedPlay {
    static final List<String> NAMES = List.of("k0", "k1", "k2", "k3", "k4");
    private static final Duration CHURN = Duration.ofSeconds(100);
    private static final Duration BOUND = Duration.ofMinutes(30);
    /** How far a restored server's versions may come before every cache has noticed: beyond, nobody could tell. */
    private static final int UNNOTICED = 15;

    final VirtualWorld world;
    final RandomGenerator random;
    private final RandomGenerator stores;
    final SeedServer server;
    private final VirtualNetwork network;
    private final String defect;
    private final boolean selective;
    final boolean undecodables;
    private final boolean restores;
    private @Nullable String broken;
    private final List<Sight> sights = new ArrayList<>();
    private final List<Sight> closedSights = new ArrayList<>();
    private VirtualProcess process;
    private Tap tap;
    private ApiClient client;
    private SharedInformers informers;
    private boolean dropsNotes;
    private List<String> heldBefore;
    private @Nullable Backup backup;
    private @Nullable Duration restoredAt;
    private long ceiling = Long.MAX_VALUE;
    private int names;
    private final Set<ObjectKey> everUnread = new TreeSet<>();

    private record Backup(long version, Map<ObjectKey, Thing> objects) {}

    SeedPlay(VirtualWorld world, String defect) {
        this.world = world;
        this.defect = defect;
        this.random = world.random("play");
        this.stores = world.random("stores");
        this.network = VirtualNetwork.in(world);
        VirtualProcess home = world.process("server");
        this.server = new SeedServer(home, random);
        network.listen("api", home, server);
        this.selective = chance(3);
        this.undecodables = chance(3);
        this.restores = chance(5);
        server.bookmarks = !chance(5);
        server.sendsInitialEvents = !chance(6);
        server.endsInitialEvents = !chance(6);
        server.closesInsteadOfGone = chance(6);
        server.nameless = random.nextBoolean();
        switch (random.nextInt(10)) {
            case 0 -> server.livez = Said.status(403, "Forbidden", "");
            case 1 -> server.livez = new Said(null, Headers.NONE, ""); // something lets all but the heartbeat through
            default -> {}
        }
        for (int i = 0; i < random.nextInt(NAMES.size()); i++) {
            server.put(NAMES.get(i), this::changed);
        }
        network.faults(
                chance(3)
                        ? Faults.none().latency(Duration.ofMillis(1), Duration.ofMillis(1 + random.nextInt(300)))
                        : Faults.seeded(random));
        this.process = planted();
        this.tap = new Tap(world, network.connect(process, "api"), this::broken, selective);
        this.client = ApiClient.over(process, tap, ApiClient.Settings.of("operator"));
        this.heldBefore = process.holds();
        this.informers = stored(SharedInformers.over(process, client));
        boot();
    }

    // ---------------------------------------------------------------- what sights and witnesses ask for

    VirtualProcess process() {
        return process;
    }

    SharedInformers informers() {
        return informers;
    }

    /** Whether the caches do without notes, which each object of the server has. */
    boolean dropsNotes() {
        return dropsNotes;
    }

    boolean paused() {
        return process.isPaused() || process.isCrashed();
    }

    int nextName() {
        return ++names;
    }

    boolean chance(int oneIn) {
        return random.nextInt(oneIn) == 0;
    }

    /** The first thing that broke counts; the invariant throws it, since callbacks would swallow it. */
    void broken(String what) {
        if (broken == null) {
            broken = what;
        }
    }

    boolean restoredLately() {
        return restoredAt != null && world.now().compareTo(restoredAt.plusSeconds(90)) < 0;
    }

    void throwSomething() {
        switch (random.nextInt(3)) {
            case 0 -> throw new IllegalStateException("a handler's own mistake");
            case 1 -> throw new AssertionError("a handler's own doubt");
            default -> throw new StackOverflowError("a handler's own depth");
        }
    }

    List<Sight> sights() {
        return sights;
    }

    // ---------------------------------------------------------------- the operator

    private VirtualProcess planted() {
        VirtualProcess operator = world.process("operator");
        if (!defect.isEmpty()) {
            operator.plant(defect);
        }
        return operator;
    }

    /** Each process keeps its objects in another way; drawn apart, so that it changes nothing else of a seed. */
    private SharedInformers stored(SharedInformers made) {
        StorePolicy[] policies = StorePolicy.values();
        made.store(Gadget.TYPE, policies[stores.nextInt(policies.length)]);
        dropsNotes = stores.nextInt(3) == 0;
        return dropsNotes ? made.dropping(DroppedPaths.of("spec.note")) : made;
    }

    private void start() {
        process = planted();
        tap = new Tap(world, network.connect(process, "api"), this::broken, selective);
        client = ApiClient.over(process, tap, ApiClient.Settings.of("operator"));
        heldBefore = process.holds();
        informers = stored(SharedInformers.over(process, client));
        boot();
    }

    private void boot() {
        VirtualProcess mine = process;
        mine.onCrash(() -> world.after(Duration.ofMillis(1 + random.nextInt(500)), () -> {
            if (process == mine) {
                start();
            }
        }));
        sights.clear();
        closedSights.clear();
        sights.add(new Sight(this, ""));
        if (selective) {
            sights.add(new Sight(this, SeedServer.TIER + "=gold"));
        }
        client.observeWrites(done -> {
            if (process == mine) {
                List.copyOf(sights).forEach(sight -> sight.written(done));
            }
        });
        sights.forEach(sight -> {
            sight.witnesses.add(new Witness(this, sight, manner()));
        });
    }

    private Witness.Manner manner() {
        Witness.Manner[] all = Witness.Manner.values();
        return all[1 + random.nextInt(all.length - 1)];
    }

    // ---------------------------------------------------------------- the play

    void run() {
        world.invariant(this::check);
        int actions = 15 + random.nextInt(50);
        for (int i = 0; i < actions; i++) {
            world.after(Duration.ofNanos((long) (random.nextDouble() * CHURN.toNanos())), this::act);
        }
        world.runFor(CHURN);
        boolean keepsUnreadable = chance(2);
        heal();
        if (keepsUnreadable && !server.unreadable.isEmpty()) {
            // What does not show its key heals with its next version only, since nobody can ask for it.
            Set<ObjectKey> unreadable = new TreeSet<>(server.nameless ? everUnread : server.unreadable);
            world.note("converging but for " + unreadable);
            converge(unreadable);
            world.note("readable again");
        }
        server.unreadable.clear();
        if (!everUnread.isEmpty() && (server.nameless || chance(2))) {
            world.runUntil(() -> process.isCrashed() || (mayWrite() && ceiling == Long.MAX_VALUE), BOUND);
            // By their next version; else by a GET, sooner or later, which needs a name.
            for (Thing thing : List.copyOf(server.objects.values())) {
                server.put(
                        thing.key().name(),
                        same -> same.with(
                                same.tier(), same.owner(), same.finalizer(), same.size() + 1, same.observed()));
            }
        }
        converge(Set.of());
        world.note("the end");
        end();
    }

    private void converge(Set<ObjectKey> unreadable) {
        int[] asked = {0};
        world.runUntil(() -> asked[0]++ % 16 == 0 && missing(unreadable).isEmpty(), BOUND);
    }

    private String missing(Set<ObjectKey> unreadable) {
        if (process.isCrashed()) {
            return "the operator is about to start";
        }
        for (Sight sight : sights) {
            String missing = sight.missing(unreadable);
            if (!missing.isEmpty()) {
                return missing;
            }
        }
        return "";
    }

    private void heal() {
        process.crashAtCall(-1);
        process.resume();
        network.rejoin(process);
        network.heal();
        server.refusal = asked -> null;
        server.served = true;
        server.endsInitialEvents = true;
        world.note("healed");
    }

    /** Everything is closed: nothing is left, nothing is asked, nobody is told. */
    private void end() {
        sights.forEach(this::close);
        informers.close();
        world.runFor(Duration.ofSeconds(45)); // what was written last has its deadline within, and handlers end
        if (!tap.open().isEmpty()) {
            throw new AssertionError("still open after everything was closed: " + tap.open());
        }
        List<String> held = process.holds();
        held.removeAll(heldBefore);
        if (!held.isEmpty()) {
            throw new AssertionError("left over after everything was closed: " + held);
        }
        if (server.openWatches() > 0) {
            world.runUntil(() -> server.openWatches() == 0, Duration.ofMinutes(11));
        }
    }

    private void close(Sight sight) {
        sight.informer.close();
        sight.closed = true;
        tap.closed(sight.selector);
        closedSights.add(sight);
    }

    private void check() {
        for (Sight sight : sights) {
            sight.check();
        }
        for (Sight sight : closedSights) {
            sight.check();
        }
        if (broken != null) {
            throw new AssertionError(broken);
        }
    }

    // ---------------------------------------------------------------- what happens

    private String name() {
        return NAMES.get(random.nextInt(NAMES.size()));
    }

    private Thing changed(Thing thing) {
        String tier = chance(3) ? Sight.TIERS.get(random.nextInt(Sight.TIERS.size())) : thing.tier();
        String owner =
                chance(3) ? chance(4) ? "" : Sight.OWNERS.get(random.nextInt(Sight.OWNERS.size())) : thing.owner();
        boolean finalizer = chance(6) != thing.finalizer();
        int observed = chance(3) ? random.nextInt(1000) : thing.observed();
        Thing next = thing.with(
                tier,
                owner,
                thing.deleting() ? thing.finalizer() && finalizer : finalizer,
                chance(3) ? thing.size() : random.nextInt(1000),
                observed);
        return undecodables && chance(6) ? next.decodable(thing.undecodable()) : next;
    }

    private boolean mayWrite() {
        if (ceiling != Long.MAX_VALUE && sights.stream().allMatch(Sight::upToHistory)) {
            ceiling = Long.MAX_VALUE;
        }
        return server.served && server.version < ceiling;
    }

    private void act() {
        int action = random.nextInt(40);
        world.note("action " + action + " at version " + server.version);
        if (process.isCrashed()) {
            return;
        }
        switch (action) {
            case 0, 1, 2, 3, 4, 5 -> {
                if (mayWrite()) {
                    server.put(name(), this::changed);
                }
            }
            case 6, 7, 8 -> {
                if (mayWrite()) {
                    server.remove(name());
                }
            }
            case 9, 10, 11, 12, 13, 14, 15, 16 -> write();
            case 17 -> {
                if (random.nextBoolean()) {
                    server.cut();
                } else {
                    server.end();
                }
            }
            case 18 -> server.expire();
            case 19 -> {
                server.compact();
                server.cut();
            }
            case 20 -> {
                if (random.nextBoolean()) {
                    server.silence();
                } else {
                    network.silence(process);
                }
            }
            case 21, 22, 23 -> trouble();
            case 24 -> {
                VirtualProcess away = process;
                network.isolate(away);
                later(40_000, () -> network.rejoin(away));
            }
            case 25, 26 -> lookAround();
            case 27, 28 -> {
                Sight sight = anySight();
                if (sight.witnesses.size() < 4) {
                    sight.witnesses.add(new Witness(this, sight, manner()));
                }
            }
            case 29, 30 -> {
                Sight sight = anySight();
                if (sight.witnesses.size() > 1) {
                    sight.witnesses
                            .remove(1 + random.nextInt(sight.witnesses.size() - 1))
                            .close();
                }
            }
            case 31 -> {
                ObjectKey key = SeedServer.key(name());
                server.unreadable.add(key);
                everUnread.add(key);
            }
            case 32 -> {
                if (random.nextBoolean()) {
                    server.unreadable.clear();
                }
            }
            case 33 -> {
                if (chance(3)) {
                    process.crash();
                } else if (chance(3)) {
                    process.crashAtCall(process.calls() + random.nextInt(500));
                }
            }
            case 34 -> {
                VirtualProcess stopped = process;
                stopped.pause();
                later(20_000, () -> {
                    stopped.resume();
                    sights.forEach(Sight::resumed);
                });
            }
            case 35 -> backUpOrRestore();
            case 36 -> {
                if (mayWrite() && chance(3)) {
                    server.unserve();
                    later(15_000, () -> server.served = true);
                }
            }
            case 37 -> server.restart();
            case 38 -> {
                if (chance(3)) {
                    Sight sight = anySight();
                    sights.remove(sight);
                    close(sight);
                    tap.reopened(sight.selector);
                    sights.add(new Sight(this, sight.selector));
                }
            }
            default -> burst();
        }
    }

    private void later(int mostMillis, Runnable work) {
        world.after(Duration.ofMillis(random.nextInt(mostMillis)), work);
    }

    private Sight anySight() {
        return sights.get(random.nextInt(sights.size()));
    }

    private void burst() {
        String name = name();
        for (int i = 0; i < 12 && mayWrite(); i++) {
            if (chance(4)) {
                server.remove(name);
            } else {
                server.put(name, this::changed);
            }
        }
        if (chance(2)) {
            server.mark();
        }
    }

    private void lookAround() {
        List<String> words = new ArrayList<>();
        NAMES.forEach(name -> words.add("key:" + name));
        Sight.OWNERS.forEach(owner -> words.add("owner:" + owner));
        Sight.TIERS.forEach(tier -> words.add("tier:" + tier));
        for (int i = 0; i < 4; i++) {
            look(words.get(random.nextInt(words.size())));
        }
    }

    private void look(String word) {
        for (Sight sight : sights) {
            sight.witnesses.forEach(witness -> witness.look(word));
        }
    }

    /** The server refuses for a while: everything, what streams, what lists, or what fetches a later page. */
    private void trouble() {
        Function<SeedServer.Asked, @Nullable Said> said = refusal();
        int scope = random.nextInt(5);
        boolean once = chance(3);
        int[] left = {once ? 1 + random.nextInt(3) : Integer.MAX_VALUE};
        server.refusal = asked -> {
            boolean meant =
                    switch (scope) {
                        case 0 -> true;
                        case 1 -> asked.initialEvents();
                        case 2 -> asked.collection() && !asked.watch();
                        case 3 -> !asked.parameter("continue").isEmpty();
                        default -> asked.call().method().equals("GET");
                    };
            return meant && left[0]-- > 0 ? said.apply(asked) : null;
        };
        if (random.nextBoolean()) {
            server.cut();
        }
        later(20_000, () -> server.refusal = asked -> null);
    }

    private Function<SeedServer.Asked, @Nullable Said> refusal() {
        int seconds = 1 + random.nextInt(15);
        int kind = random.nextInt(12);
        return asked -> switch (kind) {
            case 0, 1 -> Said.status(429, "TooManyRequests", "").after(seconds);
            case 2 -> Said.status(503, "ServiceUnavailable", "");
            case 3 -> Said.status(500, "InternalError", "");
            case 4 -> Said.status(403, "Forbidden", "");
            case 5 -> Said.status(401, "Unauthorized", "");
            case 6 -> asked.collection() ? Said.status(410, "Expired", "") : null;
            case 7 -> asked.collection() ? Said.status(422, "Invalid", "") : null;
            case 8 -> new Said(200, Headers.of("Content-Type", "text/html"), "<html>log in</html>");
                // To a delete it would mean what 204 means.
            case 9 -> asked.call().method().equals("GET")
                    ? new Said(200, Headers.of("Content-Type", "application/json"), "")
                    : null;
            case 10 -> new Said(
                    200,
                    Headers.of("Content-Type", "application/json"),
                    "{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":{},\"rows\":[]}");
            default -> new Said(null, Headers.NONE, "");
        };
    }

    private void backUpOrRestore() {
        if (!restores || ceiling != Long.MAX_VALUE) {
            return;
        }
        if (backup == null) {
            backup = new Backup(server.version, new TreeMap<>(server.objects));
            server.skip(30); // other resources
            return;
        }
        long to = backup.version;
        if (!server.served
                || sights.stream()
                        .anyMatch(sight -> sight.version() == null || sight.version() < to + UNNOTICED + 10)) {
            return;
        }
        world.note("restored to " + to);
        server.restore(to, backup.objects);
        backup = null;
        restoredAt = world.now();
        ceiling = to + UNNOTICED;
    }

    // ---------------------------------------------------------------- own writes

    private void write() {
        if (!mayWrite()) {
            return;
        }
        String name = name();
        int verb = random.nextInt(8);
        BlockingApiClient blocking = client.blocking();
        VirtualProcess mine = process;
        Task task = mine.start("write", () -> {
            try {
                write(blocking, SeedServer.key(name), verb);
                if (mine == process) {
                    look("key:" + name);
                    Sight.OWNERS.forEach(owner -> look("owner:" + owner));
                    Sight.TIERS.forEach(tier -> look("tier:" + tier));
                }
            } catch (ApiException refused) {
                world.note(refused.getClass().getSimpleName());
            }
        });
        if (chance(4)) {
            later(400, task::interrupt);
        }
    }

    private void write(BlockingApiClient blocking, ObjectKey key, int verb) {
        Sight sight = sights.get(0);
        CachedObject<Gadget> cached = sight.informer.snapshot().get(key).orElse(null);
        if (cached == null) {
            if (verb < 4) {
                blocking.create(gadget(key));
            } else {
                blocking.apply(Gadget.TYPE, key, HOW, document(key));
            }
            return;
        }
        switch (verb) {
            case 0, 1 -> {
                Gadget gadget = gadget(key);
                gadget.getMetadata().setResourceVersion(cached.raw().resourceVersion());
                if (chance(2)) {
                    gadget.getMetadata().setResourceVersion(null);
                }
                blocking.update(gadget);
            }
            case 2 -> {
                Gadget gadget = gadget(key);
                Gadget.Status status = new Gadget.Status();
                status.setObserved(random.nextInt(1000));
                gadget.setStatus(status);
                blocking.updateStatus(gadget);
            }
            case 3 -> blocking.patch(
                    Gadget.TYPE,
                    key,
                    chance(2) ? "status" : "",
                    ApiClient.PatchKind.MERGE,
                    "{\"spec\":{\"size\":" + random.nextInt(1000) + "},\"status\":{\"observed\":" + random.nextInt(1000)
                            + "}}");
            case 4 -> blocking.apply(Gadget.TYPE, key, HOW, document(key));
            case 5 -> blocking.patch(
                    Gadget.TYPE, key, "", ApiClient.PatchKind.MERGE, "{\"metadata\":{\"finalizers\":[]}}");
            default -> blocking.delete(
                    Gadget.TYPE,
                    key,
                    chance(2)
                            ? ApiClient.Delete.ANY
                            : ApiClient.Delete.of(cached.raw().uid()));
        }
    }

    private static final ApiClient.Apply HOW = new ApiClient.Apply("operator", ApiClient.Apply.Force.YES);

    private Gadget gadget(ObjectKey key) {
        Gadget gadget = new Gadget();
        ObjectMetaBuilder metadata =
                new ObjectMetaBuilder().withNamespace(key.namespace()).withName(key.name());
        String tier = Sight.TIERS.get(random.nextInt(Sight.TIERS.size()));
        if (!tier.isEmpty()) {
            metadata.addToLabels(SeedServer.TIER, tier);
        }
        if (chance(2)) {
            String owner = Sight.OWNERS.get(random.nextInt(Sight.OWNERS.size()));
            metadata.addNewOwnerReference()
                    .withApiVersion("v1")
                    .withKind("Owner")
                    .withName(owner)
                    .withUid(owner)
                    .endOwnerReference();
        }
        if (chance(6)) {
            metadata.addToFinalizers("sim.example.com/hold");
        }
        gadget.setMetadata(metadata.build());
        Gadget.Spec spec = new Gadget.Spec();
        spec.setSize(random.nextInt(1000));
        gadget.setSpec(spec);
        return gadget;
    }

    private byte[] document(ObjectKey key) {
        String owner = Sight.OWNERS.get(random.nextInt(Sight.OWNERS.size()));
        return ("{\"apiVersion\":\"sim.example.com/v1\",\"kind\":\"Gadget\",\"metadata\":{\"name\":\"" + key.name()
                        + "\",\"namespace\":\"" + key.namespace() + "\",\"labels\":{\"tier\":\""
                        + Sight.TIERS.get(1 + random.nextInt(Sight.TIERS.size() - 1)) + "\"},\"ownerReferences\":["
                        + SeedServer.ownerReference(owner) + "]},\"spec\":{\"size\":" + random.nextInt(1000) + "}}")
                .getBytes(StandardCharsets.UTF_8);
    }

    String describe() {
        StringBuilder text = new StringBuilder("missing: ");
        text.append(process.isCrashed() ? "" : missing(server.unreadable));
        text.append("\nunreadable: ").append(server.unreadable).append(server.nameless ? " nameless" : "");
        text.append("\n").append(network.faults());
        text.append("\nserver: version ").append(server.version);
        text.append(", bookmarks ").append(server.bookmarks);
        text.append(", initial events ").append(server.sendsInitialEvents);
        text.append(", ended ").append(server.endsInitialEvents);
        sights.forEach(sight -> text.append('\n').append(sight.describe()));
        return text.toString();
    }
}
