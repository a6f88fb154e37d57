import { describeRunStore } from "./run-store-contract.ts";
import { describeStores } from "./run-stores.ts";

describeStores(describeRunStore);
