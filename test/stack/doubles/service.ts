import { serve } from './lib/server.ts';

serve();
