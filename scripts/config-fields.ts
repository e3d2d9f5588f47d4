/** The part of JSON Schema (draft 2020-12) that the configuration document uses. */
export interface FieldSchema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, FieldSchema>>;
  readonly items?: FieldSchema;
  readonly additionalProperties?: FieldSchema | boolean;
  readonly anyOf?: readonly FieldSchema[];
  readonly oneOf?: readonly FieldSchema[];
}

/** One field as it is documented; `path` is `integrations[].timeouts.connectMs`, `NAME` stands for a key of the author's choice. */
export interface Field {
  readonly path: string;
  readonly type: string;
  /** What holds when it is absent, as one would write it; undefined when nothing does. */
  readonly absent: string | undefined;
  readonly isRequired: boolean;
  readonly description: string | undefined;
  /** For which `type` values of a union it is; empty: all. */
  readonly variants: readonly string[];
}

/** A list of the same things documented elsewhere: named, not entered. */
const NOT_ENTERED: ReadonlySet<string> = new Set(['global.rules']);

/** Every field below `schema`, in its order; groups are entered and have no entry of their own unless they say something. */
export function fieldsOf(schema: FieldSchema): Field[] {
  return merged(propertiesOf(schema, { prefix: '', variants: [] }));
}

interface Place {
  readonly prefix: string;
  readonly variants: readonly string[];
  /** One of several forms that nothing but their fields tells apart: then no field of it is required as such. */
  readonly isChoice?: boolean;
}

function propertiesOf(schema: FieldSchema, { prefix, variants, isChoice = false }: Place): Field[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, property]) => {
    const path = prefix === '' ? name : `${prefix}.${name}`;
    const isRequired = !isChoice && schema.required?.includes(name) === true;
    return fieldsAt(property, { path, variants, isRequired });
  });
}

interface Position {
  readonly path: string;
  readonly variants: readonly string[];
  readonly isRequired: boolean;
}

function fieldsAt(schema: FieldSchema, position: Position): Field[] {
  const { path, variants } = position;
  const own: Field = {
    ...position,
    type: typeInWords(schema),
    absent: schema.default === undefined ? undefined : inYaml(schema.default),
    description: schema.description,
  };
  if (NOT_ENTERED.has(path)) return [own];
  if (schema.properties !== undefined) return propertiesOf(schema, { prefix: path, variants });
  const unions = alternatives(schema);
  const groups = unions.filter(({ type }) => type !== 'null');
  if (groups.length > 0 && groups.every(isGroup)) {
    const type = groups.length === unions.length ? 'object' : 'object or `null`';
    const isOne = groups.length === 1;
    return [
      { ...own, type },
      ...groups.flatMap((member) => propertiesOf(member, isOne ? { prefix: path, variants } : placeOf(member, path))),
    ];
  }
  if (schema.items !== undefined && isGroup(schema.items)) {
    return [own, ...propertiesOf(schema.items, { prefix: `${path}[]`, variants })];
  }
  if (typeof schema.additionalProperties === 'object') {
    const entry: Position = { path: `${path}.NAME`, variants, isRequired: false };
    return [own, ...fieldsAt(schema.additionalProperties, entry).filter((field) => field.path !== entry.path)];
  }
  return [own];
}

function isGroup(schema: FieldSchema): boolean {
  return schema.properties !== undefined;
}

/** The members of a union, those of unions within it among them. */
function alternatives(schema: FieldSchema): FieldSchema[] {
  return [...(schema.anyOf ?? []), ...(schema.oneOf ?? [])].flatMap((member) => {
    const inner = alternatives(member);
    return inner.length > 0 ? inner : [member];
  });
}

function placeOf(member: FieldSchema, prefix: string): Place {
  const kind = member.properties?.['type']?.const;
  return typeof kind === 'string' ? { prefix, variants: [kind] } : { prefix, variants: [], isChoice: true };
}

/** A field that several members of a union have alike is one field; the discriminator lists all its values. */
function merged(fields: readonly Field[]): Field[] {
  const result: Field[] = [];
  for (const field of fields) {
    const place = result.findIndex((known) => {
      return known.path === field.path && (known.description === field.description || isDiscriminator(field));
    });
    const known = result[place];
    if (known === undefined) result.push(field);
    else {
      const type = known.type === field.type ? known.type : `${known.type}, ${field.type}`;
      result[place] = { ...known, type, variants: [...known.variants, ...field.variants] };
    }
  }
  return result.map((field) => (isDiscriminator(field) ? { ...field, variants: [] } : field));
}

function isDiscriminator({ path, variants }: Field): boolean {
  return variants.length > 0 && path.endsWith('.type');
}

const NAME_TEXT = '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$';
const FROM_TEXT = '^(?:env:';

function typeInWords(schema: FieldSchema): string {
  const unions = alternatives(schema);
  if (unions.length > 0) return unions.map(typeInWords).join(' or ');
  if (schema.const !== undefined) return `\`${inYaml(schema.const)}\``;
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${inYaml(value)}\``).join(', ');
  switch (schema.type) {
    case 'array':
      return `list of ${schema.items === undefined || isGroup(schema.items) ? 'objects' : typeInWords(schema.items)}`;
    case 'object':
      return isGroup(schema) ? `\`{${Object.keys(schema.properties ?? {}).join(', ')}}\`` : 'objects by name';
    case 'integer':
      return `${grouped(schema.minimum)} to ${grouped(schema.maximum)}`;
    case 'number':
      return `number from ${grouped(schema.minimum)} to ${grouped(schema.maximum)}`;
    case 'boolean':
      return '`true`, `false`';
    case 'null':
      return '`null`';
    default:
      return textInWords(schema);
  }
}

function textInWords({ pattern }: FieldSchema): string {
  if (pattern === NAME_TEXT) return 'name';
  return pattern?.startsWith(FROM_TEXT) ? '`env:NAME` or `file:PATH`' : 'text';
}

function grouped(value: number | undefined): string {
  return (value ?? 0).toLocaleString('en-US');
}

/** A value in the flow style of YAML. */
function inYaml(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(inYaml).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).map(([name, member]) => `${name}: ${inYaml(member)}`);
    return `{${members.join(', ')}}`;
  }
  return value === '*' ? "'*'" : String(value);
}
