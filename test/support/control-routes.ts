import { call } from './http-client.ts';
import type { RunningGateway } from './start-gateway.ts';

/** One operation of the control plane, as its OpenAPI document lists it. */
export interface Operation {
  readonly method: string;
  /** With its parameters in braces. */
  readonly path: string;
  readonly parameters: readonly string[];
  readonly hasBody: boolean;
}

interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, OpenApiOperation>>>>;
}

interface OpenApiOperation {
  readonly parameters?: readonly { readonly in: string; readonly name: string }[];
  readonly requestBody?: object;
}

/** Every operation below `/v1` of a gateway that runs. */
export async function readOperations(gateway: RunningGateway): Promise<readonly Operation[]> {
  const { paths } = (await call(gateway.adminUrl, '/openapi.json')).json() as OpenApi;
  return Object.entries(paths)
    .filter(([path]) => path.startsWith('/v1/'))
    .flatMap(([path, operations]) =>
      Object.entries(operations).map(([method, { parameters = [], requestBody }]) => ({
        method: method.toUpperCase(),
        path,
        parameters: parameters.filter((parameter) => parameter.in === 'path').map(({ name }) => name),
        hasBody: requestBody !== undefined,
      })),
    );
}

export function nameOf({ method, path }: Pick<Operation, 'method' | 'path'>): string {
  return `${method} ${path}`;
}

/** Its path with every combination of values in place of the parameters. */
export function pathsOf(
  { path, parameters }: Operation,
  values: Readonly<Record<string, readonly string[]>>,
): readonly string[] {
  return parameters.reduce<readonly string[]>(
    (paths, parameter) => {
      const known = values[parameter];
      if (known === undefined) throw new Error(`${path}: nobody says what to put in place of {${parameter}}`);
      return paths.flatMap((each) => known.map((value) => each.replace(`{${parameter}}`, encodeURIComponent(value))));
    },
    [path],
  );
}
