import { afterAll, beforeAll, describe } from "vitest";
import { createRedisRunStore } from "../../src/redis.ts";
import { type LibraryClient, redisLibraries } from "./redis-libraries.ts";
import { describeRunStore } from "./run-store-contract.ts";
import { describeStores } from "./run-stores.ts";

describeStores(describeRunStore);

/** Servers that run already, of other versions: see CONTRIBUTING.md. */
for (const url of process.env.REDIS_URLS?.split(" ") ?? []) {
  describe.each(redisLibraries)(`${url}, with $name`, ({ connect }) => {
    let connected: LibraryClient;
    beforeAll(async () => {
      connected = await connect({ url });
    });
    afterAll(() => connected.destroy());

    describeRunStore({
      name: "Redis",
      isShared: true,
      setUp() {
        const prefix = `${crypto.randomUUID()}:`;
        return {
          create: (options) => createRedisRunStore({ client: connected.client, prefix, ...options }),
          isAnnounced: true,
          address: {},
          dispose: () => {},
        };
      },
    });
  });
}
