/**
 * How a changeset is written in a changelog: as it is. The default adds a commit to each, and a line for each package of
 * the repository that changed with it, which all do: they share one version.
 */

/** @returns an item of a list; its other lines are indented as a part of it. */
export const getReleaseLine = async ({ summary }) => `- ${summary.trim().replaceAll(/\n(?=[^\n])/g, "\n  ")}`;

export const getDependencyReleaseLine = async () => "";
