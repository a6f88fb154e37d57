/**
 * `pnpm demo:cluster`: three processes of the demo behind nginx, with one Redis, all on this machine. A process that ends
 * is started again at its port; Ctrl+C ends everything.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { constants, tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const processNames = ["1", "2", "3"];
/** Slower than the demo itself, so that an answer lasts long enough to kill its process. */
const tokensPerSecond = process.env.DEMO_TOKENS_PER_SECOND || "5";
/** The same for all processes: one verifies what another has signed. */
const resumeSecret = crypto.randomUUID();
const mainFile = fileURLToPath(new URL("src/server/main.ts", import.meta.url));

const nginx = findProgram("nginx");
const redisServer = findProgram("redis-server");
const port = await reservePort(process.env.PORT || "3000");

const folder = mkdtempSync(join(tmpdir(), "kortyx-cluster-"));
const children = new Set<ChildProcess>();
process.once("exit", () => {
  // Redis, which started first, is killed last: a process that loses it prints an error.
  for (const child of [...children].reverse()) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.once(signal, () => process.exit(128 + constants.signals[signal]));
}

const redisSocket = join(folder, "redis.sock");
const redis = ["--port", "0", "--unixsocket", redisSocket, "--dir", folder, "--save", ""];
await startService(redisServer, redis, () => existsSync(redisSocket));

const processes = await Promise.all(processNames.map((name) => startProcess(name)));

writeFileSync(join(folder, "nginx.conf"), configureNginx());
const nginxArguments = ["-p", folder, "-c", "nginx.conf", "-e", "error.log"];
await startService(nginx, nginxArguments, () => isListening(port));

console.log(`Demo: http://localhost:${port}`);
console.log(
  "Kill a process in the middle of an answer. Without -9 it drains, as in a deploy. It is started again.",
);
processes.forEach(printCommand);

interface DemoProcess {
  name: string;
  port: number;
  pid: number;
}

/** Starts the demo as one of the processes, and again whenever it ends. */
async function startProcess(name: string, atPort = 0): Promise<DemoProcess> {
  const env = {
    ...process.env,
    HOST: "127.0.0.1",
    PORT: `${atPort}`,
    REDIS_URL: `unix://${redisSocket}`,
    DEMO_PROCESS: name,
    DEMO_RESUME_SECRET: resumeSecret,
    DEMO_TOKENS_PER_SECOND: tokensPerSecond,
  };
  const child = start(process.execPath, [mainFile], env);
  const [line] = await Promise.race([once(child.stdout!, "data"), once(child, "exit")]);
  const [, listeningAt] = /^Demo: http:\/\/localhost:(\d+)/.exec(`${line}`) ?? [];
  if (listeningAt === undefined) exitWith(`Process ${name} of the demo does not start.`);
  child.once("exit", async () => printCommand(await startProcess(name, Number(listeningAt))));
  return { name, port: Number(listeningAt), pid: child.pid! };
}

function printCommand({ name, pid }: DemoProcess): void {
  console.log(`Process ${name}: kill -9 ${pid}`);
}

/** Starts a program that the processes need, and waits until it is ready. */
async function startService(path: string, options: string[], isReady: () => boolean | Promise<boolean>) {
  const child = start(path, options);
  child.once("exit", () => exitWith(`${path} has ended.`));
  while (!(await isReady())) await delay(10);
}

/** Ctrl+C does not reach the child: this process ends it when it ends. */
function start(path: string, options: string[], env = process.env): ChildProcess {
  const child = spawn(path, options, { env, detached: true, stdio: ["ignore", "pipe", "inherit"] });
  child.stdout.resume();
  children.add(child);
  child.once("exit", () => children.delete(child));
  return child;
}

/** One process of nginx, so that nothing is left when it is killed. */
function configureNginx(): string {
  const temporaryPaths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  return `
daemon off;
master_process off;
pid nginx.pid;
error_log error.log;
events {}
http {
  access_log off;
  ${temporaryPaths.map((name) => `${name}_temp_path ${name};`).join("\n  ")}
  upstream demo {
    # In turn, each reload of the page would reach the same process.
    random;
    ${processes.map((each) => `server 127.0.0.1:${each.port};`).join("\n    ")}
  }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://demo;
      proxy_set_header Host $http_host;
    }
  }
}
`;
}

function findProgram(name: string): string {
  // Debian keeps nginx where only root looks.
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/usr/local/sbin"];
  const path = folders.map((each) => join(each, name)).find((each) => existsSync(each));
  return path ?? exitWith(`The cluster needs ${name}, which is missing. \`pnpm setup:system\` installs it.`);
}

/** @returns the port, or a free one for 0. */
async function reservePort(wanted: string): Promise<number> {
  const server = createServer();
  try {
    await once(server.listen(Number(wanted), "127.0.0.1"), "listening");
  } catch (error) {
    exitWith(
      `The cluster cannot listen on port ${wanted}: ${(error as Error).message}\n` +
        "Choose another one: PORT=3001 pnpm demo:cluster (or PORT=0 for a free one).",
    );
  }
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

async function isListening(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

function exitWith(message: string): never {
  console.error(message);
  process.exit(1);
}
