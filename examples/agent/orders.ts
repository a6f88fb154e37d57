/** A shop with two orders: a placeholder for your systems. */
import { database } from "./database.ts";

database.exec(`
  CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, customer TEXT NOT NULL, euros REAL NOT NULL);
  CREATE TABLE IF NOT EXISTS refunds (call TEXT PRIMARY KEY, orderId INTEGER NOT NULL, euros REAL NOT NULL);
  INSERT OR IGNORE INTO orders VALUES (1, 'Ann Miller', 40), (2, 'Ann Miller', 25);
`);
const byCustomer = database.prepare(
  "SELECT * FROM orders WHERE instr(lower(customer), lower(?)) > 0 ORDER BY id DESC LIMIT 20",
);
const refund = database.prepare("INSERT OR IGNORE INTO refunds VALUES (?, ?, ?)");
const total = database.prepare("SELECT sum(euros) AS euros FROM refunds WHERE orderId = ?");

export const findOrders = (customer: string) => byCustomer.all(customer).map((order) => ({ ...order }));

/** @param call - Names the refund: the same one twice pays once. */
export function refundOrder(orderId: number, euros: number, call: string) {
  refund.run(call, orderId, euros);
  return { orderId, refunded: total.get(orderId)?.euros };
}
