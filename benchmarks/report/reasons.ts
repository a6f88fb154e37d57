/** Why a target is missed, by its id in `targets.ts`: what was tried, and where a CPU profile says that the time goes. */
export const reasons: Record<string, string> = {};
