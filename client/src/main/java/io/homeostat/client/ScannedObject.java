package io.homeostat.client;

/** {@link RawObject} as the scanner makes it. Immutable; {@code bytes} is shared and not to be changed. */
class ScannedObject extends ScannedMetadata {
    private final byte[] bytes;

    /** Of what {@code metadata} holds after a scan that found no problem. */
    ScannedObject(WireFormat format, ObjectKey key, MetadataScanner metadata, byte[] bytes) {
        super(format, key, metadata);
        this.bytes = bytes;
    }

    /** Of an object scanned before, with other bytes. */
    ScannedObject(ScannedMetadata of, byte[] bytes) {
        super(of);
        this.bytes = bytes;
    }

    @Override
    public byte[] bytes() {
        return bytes;
    }
}
