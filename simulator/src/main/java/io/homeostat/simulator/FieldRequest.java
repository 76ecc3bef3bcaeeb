package io.homeostat.simulator;

import java.time.Instant;

/**
 * Who writes, and how: what an entry of {@code metadata.managedFields} says.
 *
 * @param manager the field manager
 * @param force whether an apply takes over fields that others own
 * @param apiVersion the group and version of the request, for example {@code apps/v1}
 * @param subresource {@code ""} for the object itself, or for example {@code status}
 * @param now the time of an entry whose set changes
 */
record FieldRequest(String manager, boolean force, String apiVersion, String subresource, Instant now) {}
