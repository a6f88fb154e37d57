/** One thing that the doctor has found, and how it is made. Decides nothing. */

/** One thing that is wrong, or worth knowing. */
export interface Finding {
  id: string;
  /** A fault makes the verdict; a note does not. */
  severity: "fault" | "note";
  /** What was seen. */
  what: string;
  /** Who is the likely cause, and how this is known. */
  culprit?: string | undefined;
  /** What to change; each is enough by itself. */
  fixes: string[];
  /** The section of the documentation. */
  page: string;
}

/** Where each subject is described, below the folder `docs`. */
export const pages = {
  proxies: "docs/infrastructure.md#proxies",
  sixConnections: "docs/infrastructure.md#six-connections-per-browser",
  machines: "docs/runs.md#several-machines",
  doctor: "docs/doctor.md#findings",
};

/** Where a reader of the published package finds a page. */
export function pageAt(page: string, repositoryUrl: string | undefined): string {
  if (!repositoryUrl) return `${page}, in the repository of @kortyx/server`;
  const repository = repositoryUrl.replace(/^git\+/, "").replace(/\.git$/, "");
  return `${repository}/blob/HEAD/${page}`;
}

export const fault = (id: string, what: string, rest: Partial<Finding> = {}): Finding => ({
  id,
  severity: "fault",
  what,
  fixes: [],
  page: pages.doctor,
  ...rest,
});

export const note = (id: string, what: string, rest: Partial<Finding> = {}): Finding => ({
  ...fault(id, what, rest),
  severity: "note",
});
