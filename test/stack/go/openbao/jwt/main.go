// Command jwt stands in for the JWT secrets engine that NVCF's OpenBao carries: `sign/<role>` answers with a token that
// ESS takes, which `config` was given before. It signs nothing.
package main

import (
	"context"
	"os"

	"github.com/openbao/openbao/api/v2"
	"github.com/openbao/openbao/sdk/v2/framework"
	"github.com/openbao/openbao/sdk/v2/logical"
	"github.com/openbao/openbao/sdk/v2/plugin"
)

const configKey = "config"

func main() {
	client := &api.PluginAPIClientMeta{}
	if err := client.FlagSet().Parse(os.Args[1:]); err != nil {
		os.Exit(2)
	}
	err := plugin.ServeMultiplex(&plugin.ServeOpts{
		BackendFactoryFunc: factory,
		TLSProviderFunc:    api.VaultPluginTLSProvider(client.GetTLSConfig()),
	})
	if err != nil {
		os.Exit(1)
	}
}

func factory(ctx context.Context, config *logical.BackendConfig) (logical.Backend, error) {
	backend := &framework.Backend{
		BackendType: logical.TypeLogical,
		Paths: []*framework.Path{
			{
				Pattern: "config",
				Fields:  map[string]*framework.FieldSchema{"token": {Type: framework.TypeString}},
				Operations: map[logical.Operation]framework.OperationHandler{
					logical.CreateOperation: &framework.PathOperation{Callback: configure},
					logical.UpdateOperation: &framework.PathOperation{Callback: configure},
				},
			},
			{
				Pattern: "sign/" + framework.GenericNameRegex("role"),
				Fields:  map[string]*framework.FieldSchema{"role": {Type: framework.TypeString}},
				Operations: map[logical.Operation]framework.OperationHandler{
					logical.CreateOperation: &framework.PathOperation{Callback: sign},
					logical.UpdateOperation: &framework.PathOperation{Callback: sign},
				},
			},
		},
	}
	if err := backend.Setup(ctx, config); err != nil {
		return nil, err
	}
	return backend, nil
}

func configure(ctx context.Context, request *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	entry, err := logical.StorageEntryJSON(configKey, data.Get("token"))
	if err != nil {
		return nil, err
	}
	return nil, request.Storage.Put(ctx, entry)
}

func sign(ctx context.Context, request *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	if data.Get("role") != "nvcf-api" {
		return logical.ErrorResponse("unknown role"), logical.ErrInvalidRequest
	}
	entry, err := request.Storage.Get(ctx, configKey)
	if err != nil {
		return nil, err
	}
	if entry == nil {
		return logical.ErrorResponse("not configured"), logical.ErrInvalidRequest
	}
	var token string
	if err := entry.DecodeJSON(&token); err != nil {
		return nil, err
	}
	return &logical.Response{Data: map[string]interface{}{"token": token}}, nil
}
