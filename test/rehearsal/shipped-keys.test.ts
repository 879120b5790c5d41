import { names } from '../contract/shipped.ts';
import { rehearseAll } from './share.ts';

rehearseAll(names.filter((name) => /^(mek|nek)-/.test(name)));
