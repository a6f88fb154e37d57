/** The system's nginx in front of a server: a process owned by the test, with all its files in one folder. */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LiveServer } from "./live-server.ts";

const candidates = [process.env.NGINX_PATH, "/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/bin/nginx"];

const executablePath = (): string | undefined =>
  candidates.find((path) => path !== undefined && existsSync(path));

export const hasNginx = (): boolean => executablePath() !== undefined;

/** Another process may take the free port before nginx does. */
const maxAttempts = 5;

/**
 * Starts nginx in front of one server, or of several in turn, with the `http` section of Debian's configuration.
 *
 * @param upstream - `http://<host>:<port>` or `unix:<path>`.
 * @param directives - Added to the `location`.
 */
export async function startNginx(upstream: string | string[], directives = ""): Promise<LiveServer> {
  const path = executablePath();
  if (path === undefined) throw new Error("nginx is missing: `pnpm setup:system` installs it.");
  for (let attempt = 1; ; attempt++) {
    const folder = mkdtempSync(join(tmpdir(), "kortyx-nginx-"));
    const port = await findFreePort();
    writeFileSync(
      join(folder, "nginx.conf"),
      configure({ folder, port, upstreams: [upstream].flat(), directives }),
    );
    const child = spawn(path, ["-p", folder, "-c", "nginx.conf", "-e", "error.log"], { stdio: "ignore" });
    let isOver = false;
    const exited = new Promise<void>((resolve) => {
      const end = () => {
        isOver = true;
        resolve();
      };
      child.once("error", end).once("exit", end);
    });
    while (!isOver && !(await accepts(port))) await new Promise((resolve) => setTimeout(resolve, 5));
    const close = async () => {
      child.kill("SIGKILL");
      await exited;
      rmSync(folder, { recursive: true, force: true });
    };
    if (!isOver) return { url: `http://127.0.0.1:${port}`, close };
    const log = join(folder, "error.log");
    const reason = existsSync(log) ? readFileSync(log, "utf8") : "without a word";
    await close();
    if (attempt === maxAttempts) throw new Error(`nginx exited before it listened: ${reason}`);
  }
}

interface NginxOptions {
  folder: string;
  port: number;
  upstreams: string[];
  directives: string;
}

/** A single process, so that ending its pid ends everything. */
const configure = ({ folder, port, upstreams, directives }: NginxOptions): string => `
daemon off;
master_process off;
pid nginx.pid;
error_log error.log;
events {
  worker_connections 768;
}
http {
  sendfile on;
  tcp_nopush on;
  types_hash_max_size 2048;
  default_type application/octet-stream;
  access_log access.log;
  gzip on;
  client_body_temp_path ${folder}/client-body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  upstream servers {
    ${upstreams.map((upstream) => `server ${upstream.replace("http://", "")};`).join("\n    ")}
  }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://servers;
      proxy_set_header Host $http_host;
      ${directives}
    }
  }
}
`;

async function findFreePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("error", () => resolve(false));
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
  });
}
