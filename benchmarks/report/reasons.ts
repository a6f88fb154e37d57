/**
 * What is written by hand beside the targets, by their ids in `targets.ts`. `pnpm bench --report` puts it into the report
 * of the last run.
 */

/** Why a target is missed: what was tried, and where a CPU profile says that the time goes. */
export const reasons: Record<string, string> = {};

/** How far a target that is met, but not its stretch, can still go. */
export const room: Record<string, string> = {};
