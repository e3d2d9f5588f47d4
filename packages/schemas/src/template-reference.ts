import { z } from 'zod';

/** `name@version`, as integrations name a template. */
export const templateReferenceSchema = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}@[1-9][0-9]{0,5}$/, 'must be NAME@VERSION, such as github@1');
