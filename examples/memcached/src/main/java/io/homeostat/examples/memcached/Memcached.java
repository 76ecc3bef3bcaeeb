package io.homeostat.examples.memcached;

import io.fabric8.kubernetes.api.model.Namespaced;
import io.fabric8.kubernetes.client.CustomResource;
import io.fabric8.kubernetes.model.annotation.Group;
import io.fabric8.kubernetes.model.annotation.Version;

/** A number of memcached servers behind one name: {@code memcacheds.cache.example.com/v1alpha1}. */
@Group("cache.example.com")
@Version("v1alpha1")
public class Memcached extends CustomResource<MemcachedSpec, MemcachedStatus> implements Namespaced {
    private static final long serialVersionUID = 1;
}
