/**
 * The vocabulary of `chunk-table.ts`, and the lookup of a type's or an object's fields. Does not check or change
 * objects; `check-chunk.ts` and `to-chunk.ts` do.
 */
import { chunkTable } from "./chunk-table.ts";

/** What a field holds. */
export type FieldType = ScalarType | ListType | ObjectType;

/** A type that has no fields of its own: see {@link scalars}. */
type ScalarType = keyof typeof scalars;

interface ListType {
  readonly listOf: FieldType;
}

/** An object that always has the same fields, or one whose `kind` chooses them. */
export type ObjectType = FieldsType | KindsType;

export interface FieldsType {
  readonly required?: FieldTypes;
  /** Fields that may have any value are left out: there is nothing to check, and `null` is a valid value for them. */
  readonly optional?: FieldTypes;
}

export type FieldTypes = Readonly<Record<string, FieldType>>;

export interface KindsType {
  readonly kinds: Readonly<Record<string, FieldsType>>;
  /** An object of an unlisted kind passes, with any fields. */
  readonly allowsOtherKinds?: true;
}

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * `expected` completes the sentence "must be …". A type named after a `typeof` result accepts every value with that
 * `typeof`.
 */
export const scalars = {
  string: { expected: "a string", accepts: (value: unknown) => typeof value === "string" },
  boolean: { expected: "a boolean", accepts: (value: unknown) => typeof value === "boolean" },
  // JSON text may contain a number too large for a double, which parses to Infinity.
  finite: { expected: "a finite number", accepts: Number.isFinite },
  natural: {
    expected: "a whole number, 0 or more",
    accepts: (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0,
  },
  /** An object whose fields the contract does not name. */
  record: { expected: "a plain object", accepts: isPlainObject },
  /** What JSON can write, `null` included. */
  JSON: {
    expected: "a JSON value",
    accepts: (value: unknown) => !["undefined", "function", "symbol"].includes(typeof value),
  },
} as const;

/** A plain object, as `JSON.parse` returns it; not a Date, a Map or another class instance. */
function isPlainObject(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const prototype = Object.getPrototypeOf(value);
  // Only an Object.prototype, of any realm, has this method as its own.
  return prototype === null || Object.hasOwn(prototype, "isPrototypeOf");
}

/** @returns the shape of a chunk of this type; undefined for a type that this version does not know. */
export const chunkTypeOf = (type: unknown): ObjectType | undefined => own(chunkTable, type);

/** @returns the fields for this object; undefined for a kind that its shape does not list. */
export const fieldsOf = (type: ObjectType, value: Record<string, unknown>): FieldsType | undefined =>
  "kinds" in type ? own(type.kinds, value.kind) : type;

const own = <Value>(values: Readonly<Record<string, Value>>, name: unknown): Value | undefined =>
  typeof name === "string" && Object.hasOwn(values, name) ? values[name] : undefined;

/** The fields of an object, indexed for repeated lookup. */
export interface FieldRules {
  readonly byName: ReadonlyMap<string, FieldRule>;
  readonly requiredCount: number;
}

interface FieldRule {
  readonly type: FieldType;
  readonly isRequired: boolean;
}

const rulesByType = new Map<FieldsType, FieldRules>();

export function rulesOf(type: FieldsType): FieldRules {
  let rules = rulesByType.get(type);
  if (rules === undefined) {
    rules = toRules(type);
    rulesByType.set(type, rules);
  }
  return rules;
}

function toRules({ required = {}, optional = {} }: FieldsType): FieldRules {
  const byName = new Map<string, FieldRule>();
  for (const name in optional) byName.set(name, { type: optional[name]!, isRequired: false });
  for (const name in required) byName.set(name, { type: required[name]!, isRequired: true });
  return { byName, requiredCount: Object.keys(required).length };
}
