package io.homeostat.informer;

import io.fabric8.kubernetes.api.model.Namespaced;
import io.fabric8.kubernetes.client.CustomResource;
import io.fabric8.kubernetes.model.annotation.Group;
import io.fabric8.kubernetes.model.annotation.Version;
import io.homeostat.client.ResourceType;
import org.jspecify.annotations.Nullable;

/** What {@link SeedServer} serves. */
@Group("sim.example.com")
@Version("v1")
public class Gadget extends CustomResource<Gadget.Spec, Gadget.Status> implements Namespaced {
    private static final long serialVersionUID = 1;

    static final ResourceType<Gadget> TYPE = ResourceType.of(Gadget.class);

    /** The wish. */
    public static class Spec {
        private int size;
        private @Nullable String note;

        public int getSize() {
            return size;
        }

        public void setSize(int size) {
            this.size = size;
        }

        public @Nullable String getNote() {
            return note;
        }

        public void setNote(@Nullable String note) {
            this.note = note;
        }
    }

    /** What is. */
    public static class Status {
        private int observed;

        public int getObserved() {
            return observed;
        }

        public void setObserved(int observed) {
            this.observed = observed;
        }
    }
}
