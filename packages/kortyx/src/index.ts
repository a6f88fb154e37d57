/**
 * Both sides under one name, and nothing else. Stars, because each of the two lists and pins its exports; the test of this
 * package checks that no name is lost between them.
 */
export * from "@kortyx/client";
export * from "@kortyx/server";
