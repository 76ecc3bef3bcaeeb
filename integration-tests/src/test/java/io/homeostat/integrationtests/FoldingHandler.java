package io.homeostat.integrationtests;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.homeostat.client.RawObject;
import io.homeostat.client.ResourceVersions;
import io.homeostat.informer.CachedObject;
import io.homeostat.informer.ResourceEventHandler;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * What a handler knows that believes every step it is told: by key, the UID and version. Notes each step that cannot be, which is one
 * that breaks P-C2: an add of what is there, an update or delete of what is not, another UID in an update, a version that went back.
 */
class FoldingHandler<T extends HasMetadata> implements ResourceEventHandler<T> {
    private final String name;

    // All guarded by this.
    private final Map<String, String> known = new TreeMap<>();
    private final List<String> broken = new ArrayList<>();
    private boolean versionsMayGoBack;

    FoldingHandler(String name) {
        this.name = name;
    }

    /** Etcd is being restored. */
    synchronized void versionsMayGoBack() {
        versionsMayGoBack = true;
    }

    /** UID and version, as one text. */
    static String identity(String uid, String version) {
        return uid + " at " + version;
    }

    private static String identity(CachedObject<?> object) {
        return identity(object.raw().uid(), object.raw().resourceVersion());
    }

    @Override
    public synchronized void onAdd(CachedObject<T> object, Phase phase, Merged<T> merged) {
        String before = known.put(object.key().toString(), identity(object));
        if (before != null) {
            broken.add(name + ": added " + object + ", and had " + before);
        }
    }

    @Override
    public synchronized void onUpdate(CachedObject<T> before, CachedObject<T> after, Merged<T> merged) {
        String had = known.put(after.key().toString(), identity(after));
        RawObject from = before.raw();
        RawObject to = after.raw();
        if (!identity(before).equals(had)) {
            broken.add(name + ": updated " + before + ", and had " + had);
        }
        if (!from.uid().equals(to.uid())) {
            broken.add(name + ": updated " + before + " to another UID " + to.uid());
        }
        if (!versionsMayGoBack && ResourceVersions.compare(from.resourceVersion(), to.resourceVersion()) >= 0) {
            broken.add(name + ": updated " + before + " back to " + to.resourceVersion());
        }
    }

    @Override
    public synchronized void onDelete(CachedObject<T> lastKnown, Merged<T> merged) {
        String had = known.remove(lastKnown.key().toString());
        if (had == null || !had.startsWith(lastKnown.raw().uid())) {
            broken.add(name + ": deleted " + lastKnown + ", and had " + had);
        }
    }

    /** Key to UID and version. */
    synchronized Map<String, String> fold() {
        return new TreeMap<>(known);
    }

    /** The steps that cannot be. */
    synchronized List<String> broken() {
        return List.copyOf(broken);
    }

    String name() {
        return name;
    }
}
