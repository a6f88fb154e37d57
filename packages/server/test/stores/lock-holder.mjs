/** Takes the write lock of a SQLite file and holds it until its parent sends a message. */
import { DatabaseSync } from "node:sqlite";

const database = new DatabaseSync(process.argv[2]);
database.exec("BEGIN IMMEDIATE");
process.once("message", () => {
  database.close();
  process.disconnect();
});
process.send("locked");
