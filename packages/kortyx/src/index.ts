/**
 * Both sides under one name, and nothing else. Stars, because what the two export is listed and pinned by each of them; the
 * test of this package says that no name is lost between them.
 */
export * from "@kortyx/client";
export * from "@kortyx/server";
