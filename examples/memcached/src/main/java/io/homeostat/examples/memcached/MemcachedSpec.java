package io.homeostat.examples.memcached;

/** What is wanted. The API server checks it and fills in the defaults, as the CRD says. */
public class MemcachedSpec {
    private Integer size = 1;
    private String image = "memcached:1.6-alpine";

    /** How many servers: 1 to 10. */
    public Integer getSize() {
        return size;
    }

    /** Sets {@link #getSize}. */
    public void setSize(Integer size) {
        this.size = size;
    }

    /** The image of the servers; {@code memcached:1.6-alpine} by default. */
    public String getImage() {
        return image;
    }

    /** Sets {@link #getImage}. */
    public void setImage(String image) {
        this.image = image;
    }
}
